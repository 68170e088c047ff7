"""Define every key of the config, with its type and its default. `loader` fills them in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from consumers.config.experiments.keys import ExperimentConfig, experiments
from consumers.config.formats import SchemaRegistryConfig, TopicConfig
from consumers.config.publish import PublishConfig
from consumers.config.shards import ShardsConfig
from consumers.config.store import RedisConfig
from consumers.config.text_encoder import TextEncoderConfig
from consumers.errors import Stop
from models.experiments.experiment import Experiment
from models.schema import Domain, Role
from models.settings import (
    LEAST_STEP,
    AdaptationSettings,
    EventType,
    ImpressionSettings,
    LearnerSettings,
    LearningSettings,
    RankerSettings,
)
from serving.client.pseudonyms import Pseudonyms

TopicKind = Literal["interactions", "items", "forget", "reroute"]
"""What a topic holds."""


class KafkaConfig(msgspec.Struct, forbid_unknown_fields=True):
    """Where events come from."""

    bootstrap_servers: list[str] = msgspec.field(default_factory=lambda: ["localhost:9092"])
    """Brokers to ask first, `host:port` each."""
    dead_letter_topic: str = "crosscurrent.dead-letters"
    """Topic for records that cannot be used."""
    forget_topic: str = "crosscurrent.forget"
    """Topic of requests to forget a user. It is compacted, and created if it is missing."""
    group_id: str = "crosscurrent"
    """Name under which offsets are committed, for lag tools only."""
    canary_topic: str = "crosscurrent.canary"
    """Topic of canaries, the service's own records, which it times; "" for none."""
    canary_seconds: float = 5.0
    """Seconds between two canaries."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to connect."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    """How to log in, with `SASL_…`."""
    sasl_username: str | None = None
    """User to log in as; with `OAUTHBEARER` the token names it."""
    sasl_password: str | None = None
    """Its password."""
    sasl_password_file: str | None = None
    """File that holds the password. It is read again with every new connection, so it may change."""
    sasl_oauth_token_file: str | None = None
    """File that holds the token of `OAUTHBEARER`, read again with every new connection."""
    ssl_cafile: str | None = None
    """Certificates of the authorities to trust, PEM."""
    ssl_certfile: str | None = None
    """The client's own certificate, PEM."""
    ssl_keyfile: str | None = None
    """Key of that certificate, PEM."""


class PrivacyConfig(msgspec.Struct, forbid_unknown_fields=True):
    """With a key, user ids are replaced by keyed hashes in state and store."""

    key: str | None = None
    """Secret of at least 16 characters."""
    key_file: str | None = None
    """File that holds the key."""
    pseudonyms: bool = True
    """false: user ids stay as they are, and the key serves erasure requests only."""

    def ids(self) -> Pseudonyms:
        return Pseudonyms(self.key, self.pseudonyms)


class MetricsConfig(msgspec.Struct, forbid_unknown_fields=True):
    """Where metrics and health are served."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 9464
    """Port to listen on; 0 for any free one."""


class CheckpointConfig(msgspec.Struct, forbid_unknown_fields=True):
    """Where and how often the state is saved. A relative path is relative to the folder in which the command runs."""

    directory: str = "./checkpoints"
    """Folder of the checkpoints. Only one process may use it."""
    interval_seconds: float = 10.0
    """Seconds between two checkpoints."""
    whole_mb: float = 32.0
    """Megabytes. With larger tables, checkpoints are increments."""


class IntakeConfig(msgspec.Struct, forbid_unknown_fields=True):
    """How records are taken in."""

    ids: Literal["strings", "any"] = "strings"
    """`any`: whole numbers are taken for user_id and item_id too, as their decimal text."""
    batch_events: int = 256
    """Most records in a micro-batch."""
    batch_ms: float = 20.0
    """Milliseconds after which a micro-batch is learned and published even if fewer than 16 records are there."""
    network_events: int = 1024
    """Events after which the network takes a step. It takes several if one step would be too large to learn well."""
    network_ms: float = 1000.0
    """Milliseconds after which the network takes a step, if any event waits. From 256 events on a quarter is enough."""
    dedup_events: int = 100_000
    """How many of the latest events are searched for a repeated event_id."""
    max_record_bytes: int = 524_288
    """Longest value of a record, in bytes."""
    max_invalid_ratio: float = 0.5
    """Largest share of invalid records among a partition's last 1,000. Above it the service stops with exit code 3."""
    max_consecutive_invalid: int = 1000
    """Most invalid records of a partition in a row. After more the service stops with exit code 3."""

    @property
    def least_step(self) -> int:
        """Events from which on a step of the network is worth its cost, and after which archives take one."""
        return min(LEAST_STEP, self.network_events)


class DomainConfig(msgspec.Struct, forbid_unknown_fields=True):
    """One domain."""

    role: Role = "source"
    """Whether the domain gives knowledge to others, takes it, or both."""
    rating_range: tuple[float, float] = (1.0, 5.0)
    """Lowest and highest rating."""
    recommend: bool = True
    """Whether lists are published."""
    catalogue: Literal["open", "required"] = "open"
    """`required`: only items with an item event are recommended."""
    allow: list[str] = []
    """If not empty, only these items are recommended."""
    deny: list[str] = []
    """These items are never recommended."""
    interactions_topic: str = ""
    """Topic of its events; by default `interactions.<name>`."""
    items_topic: str = ""
    """Topic of its items; by default `items.<name>`."""
    interactions: TopicConfig = msgspec.field(default_factory=TopicConfig)
    """How the events are read."""
    items: TopicConfig = msgspec.field(default_factory=TopicConfig)
    """How the items are read."""


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    """The whole config. Every key but `domains` has a default."""

    kafka: KafkaConfig = msgspec.field(default_factory=KafkaConfig)
    schema_registry: SchemaRegistryConfig = msgspec.field(default_factory=SchemaRegistryConfig)
    redis: RedisConfig = msgspec.field(default_factory=RedisConfig)
    privacy: PrivacyConfig = msgspec.field(default_factory=PrivacyConfig)
    metrics: MetricsConfig = msgspec.field(default_factory=MetricsConfig)
    checkpoint: CheckpointConfig = msgspec.field(default_factory=CheckpointConfig)
    text_encoder: TextEncoderConfig = msgspec.field(default_factory=TextEncoderConfig)
    intake: IntakeConfig = msgspec.field(default_factory=IntakeConfig)
    publish: PublishConfig = msgspec.field(default_factory=PublishConfig)
    learner: LearnerSettings = msgspec.field(default_factory=LearnerSettings)
    ranker: RankerSettings = msgspec.field(default_factory=RankerSettings)
    adaptation: AdaptationSettings = msgspec.field(default_factory=AdaptationSettings)
    impressions: ImpressionSettings = msgspec.field(default_factory=ImpressionSettings)
    events: dict[str, EventType] = {}
    experiments: dict[str, ExperimentConfig] = {}
    shards: ShardsConfig = msgspec.field(default_factory=ShardsConfig)
    domains: dict[str, DomainConfig] = {}

    def domain_list(self) -> list[Domain]:
        """Return what the learners need to know of the domains, in the order of the file."""
        return [
            Domain(
                name, d.role, d.rating_range, d.recommend, d.catalogue, frozenset(d.allow), frozenset(d.deny)
            )
            for name, d in self.domains.items()
        ]

    def learning(self) -> LearningSettings:
        """Return the settings that every learner is made with."""
        return LearningSettings(
            **msgspec.structs.asdict(self.learner),
            ranker=self.ranker,
            adaptation=self.adaptation,
            impressions=self.impressions,
            events=self.events,
        )

    def live_experiments(self) -> list[Experiment]:
        """Return the experiments, with how each arm's lists are made."""
        return experiments(self)

    def topics(self) -> dict[str, tuple[str, TopicKind]]:
        """Map each topic to (domain, kind of its records); those of no single domain have "" as theirs."""
        topics: dict[str, tuple[str, TopicKind]] = {self.kafka.forget_topic: ("", "forget")}
        if self.shards.several:
            topics[self.shards.reroute_topic] = ("", "reroute")
        for name, domain in self.domains.items():
            topics[domain.interactions_topic] = (name, "interactions")
            topics[domain.items_topic] = (name, "items")
        return topics

    def topic_formats(self) -> Iterator[tuple[str, Literal["interactions", "items"], TopicConfig]]:
        """Yield each topic of interactions or items, its kind, and how it is read."""
        for domain in self.domains.values():
            yield domain.interactions_topic, "interactions", domain.interactions
            yield domain.items_topic, "items", domain.items

    def topic_of(self, kind: Literal["interactions", "items"], domain: str) -> str:
        """Return the topic to write a domain's interactions or items to, as JSON.

        Raises Stop for a domain that the config lacks, and for a topic that holds something else.
        """
        if domain not in self.domains:
            raise Stop(
                f"domain {domain!r} is not in the config, which has {', '.join(self.domains)}. Add "
                f"[domains.{domain}], or name one of these with --domain."
            )
        entry = self.domains[domain]
        if not (entry.interactions if kind == "interactions" else entry.items).is_contract:
            raise Stop(
                f"domains.{domain}.{kind} says that this topic has another format than the JSON that this command "
                f"writes. Give it a config with another {kind}_topic and without [domains.{domain}.{kind}]."
            )
        return entry.interactions_topic if kind == "interactions" else entry.items_topic

    def topics_of(self, *kinds: TopicKind) -> list[str]:
        """Return the topics of these kinds."""
        return [name for name, (_, kind) in self.topics().items() if kind in kinds]

    def event_topics(self) -> list[str]:
        """Return the topics of events, whose partitions are dealt out to shards."""
        return self.topics_of("interactions", "reroute")

    def topic_kinds(self) -> list[tuple[str, Literal["interactions", "items"]]]:
        """Return every topic and how it is created: requests to forget are compacted, as items are."""
        return [
            (name, "interactions" if kind in {"interactions", "reroute"} else "items")
            for name, (_, kind) in self.topics().items()
        ]
