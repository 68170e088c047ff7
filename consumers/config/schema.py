"""The config: every key that can be set, typed, with its default. `config_file` fills them in."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from consumers.kafka_client.tls import TlsContext
from models.schema import Domain, Role
from models.settings import AdaptationSettings, LearnerSettings, LearningSettings, RankerSettings
from serving.pseudonyms import Pseudonyms


class Kafka(msgspec.Struct, forbid_unknown_fields=True):
    """Where events come from. `sasl_password_file` names a file that holds the password."""

    bootstrap_servers: list[str] = msgspec.field(default_factory=lambda: ["localhost:9092"])
    dead_letter_topic: str = "crosscurrent.dead-letters"
    forget_topic: str = "crosscurrent.forget"
    group_id: str = "crosscurrent"
    canary_topic: str = "crosscurrent.canary"
    """Where the service sends records of its own, to time them; "" for none."""
    canary_seconds: float = 5.0
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None
    sasl_password_file: str | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None

    def client(self) -> dict[str, Any]:
        """The keyword arguments that every Kafka client takes."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.security_protocol,
            "bootstrap_timeout_ms": 6000,  # a broker that is away is told within 10 s
        }
        if self.sasl_mechanism:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        if self.security_protocol.endswith("SSL"):
            options["ssl_context"] = TlsContext(self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile)
        return options


class Redis(msgspec.Struct, forbid_unknown_fields=True):
    """Where results go. `rediss://` is TLS; a password is better kept in the file that `password_file` names.

    `redis+sentinel://host:26379,host:26379/master/0` (or `rediss+sentinel://`): the master that Sentinel names. The
    sentinels' own user and password are `sentinel_username` and `sentinel_password`.
    """

    url: str = "redis://localhost:6379/0"
    url_file: str | None = None
    prefix: str = "cc"
    username: str | None = None
    password: str | None = None
    password_file: str | None = None
    sentinel_username: str | None = None
    sentinel_password: str | None = None
    sentinel_password_file: str | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    cluster: bool = False
    """The URL names one node of a Redis Cluster; the others are found out."""

    def client(self) -> dict[str, Any]:
        """What `serving.store.connection.connect` takes beside the URL."""
        return {
            "cluster": self.cluster,
            "username": self.username,
            "password": self.password,
            "sentinel_username": self.sentinel_username,
            "sentinel_password": self.sentinel_password,
            "ssl_ca_certs": self.ssl_cafile,
            "ssl_certfile": self.ssl_certfile,
            "ssl_keyfile": self.ssl_keyfile,
        }


class Privacy(msgspec.Struct, forbid_unknown_fields=True):
    """With a key, state and store hold keyed hashes instead of user ids. `pseudonyms = false`: of the forgotten."""

    key: str | None = None
    key_file: str | None = None
    pseudonyms: bool = True

    def ids(self) -> Pseudonyms:
        return Pseudonyms(self.key, self.pseudonyms)


class Metrics(msgspec.Struct, forbid_unknown_fields=True):
    host: str = "127.0.0.1"
    port: int = 9464


class Checkpoint(msgspec.Struct, forbid_unknown_fields=True):
    directory: str = "./checkpoints"
    interval_seconds: float = 10.0
    whole_mb: float = 32.0
    """Larger tables are written as increments of what was touched."""


class TextEncoder(msgspec.Struct, forbid_unknown_fields=True):
    """`hashing`, or a sentence-transformers model: a name or a local folder."""

    model: str = "hashing"


class Intake(msgspec.Struct, forbid_unknown_fields=True):
    batch_events: int = 256
    """A micro-batch is cut at this many records …"""
    batch_ms: float = 20.0
    """… or at this age, whichever comes first. The fast path has learned it then, and it is published."""
    network_events: int = 256
    """The network takes a step after this many learned events …"""
    network_ms: float = 1000.0
    """… or this long after the first of them."""
    dedup_events: int = 100_000
    max_record_bytes: int = 524_288
    max_invalid_ratio: float = 0.5
    max_consecutive_invalid: int = 1000


class Publish(msgspec.Struct, forbid_unknown_fields=True):
    interval_ms: float = 50.0
    top: int = 50
    explain_top: int = 10
    ttl_seconds: int = 604_800
    list_share: float = 0.25
    """While records wait to be learned, lists take at most this share of the time that learning takes."""
    max_backlog: int = 200_000
    """Values waiting for the store; past it the service stops reading events until the store catches up."""


class DomainConfig(msgspec.Struct, forbid_unknown_fields=True):
    role: Role = "source"
    rating_range: tuple[float, float] = (1.0, 5.0)
    recommend: bool = True
    catalogue: Literal["open", "required"] = "open"
    allow: list[str] = []
    """If not empty, only these items are recommended."""
    deny: list[str] = []
    """These items are never recommended."""
    interactions_topic: str = ""
    items_topic: str = ""


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    """The whole config. Every key has a default but `domains`."""

    kafka: Kafka = msgspec.field(default_factory=Kafka)
    redis: Redis = msgspec.field(default_factory=Redis)
    privacy: Privacy = msgspec.field(default_factory=Privacy)
    metrics: Metrics = msgspec.field(default_factory=Metrics)
    checkpoint: Checkpoint = msgspec.field(default_factory=Checkpoint)
    text_encoder: TextEncoder = msgspec.field(default_factory=TextEncoder)
    intake: Intake = msgspec.field(default_factory=Intake)
    publish: Publish = msgspec.field(default_factory=Publish)
    learner: LearnerSettings = msgspec.field(default_factory=LearnerSettings)
    ranker: RankerSettings = msgspec.field(default_factory=RankerSettings)
    adaptation: AdaptationSettings = msgspec.field(default_factory=AdaptationSettings)
    domains: dict[str, DomainConfig] = {}

    def domain_list(self) -> list[Domain]:
        """What the learners need to know of the domains, in the order of the file."""
        return [
            Domain(
                name, d.role, d.rating_range, d.recommend, d.catalogue, frozenset(d.allow), frozenset(d.deny)
            )
            for name, d in self.domains.items()
        ]

    def learning(self) -> LearningSettings:
        """What every learner is made with."""
        return LearningSettings(
            **msgspec.structs.asdict(self.learner), ranker=self.ranker, adaptation=self.adaptation
        )

    def topics(self) -> dict[str, tuple[str, Literal["interactions", "items", "forget"]]]:
        """Topic name to (domain, kind of its records); the topic of requests to forget has no domain."""
        topics: dict[str, tuple[str, Literal["interactions", "items", "forget"]]] = {
            self.kafka.forget_topic: ("", "forget")
        }
        for name, domain in self.domains.items():
            topics[domain.interactions_topic] = (name, "interactions")
            topics[domain.items_topic] = (name, "items")
        return topics

    def topic_kinds(self) -> list[tuple[str, Literal["interactions", "items"]]]:
        """Every topic, as what it is created: requests to forget are compacted as items are."""
        return [
            (name, "interactions" if kind == "interactions" else "items")
            for name, (_, kind) in self.topics().items()
        ]
