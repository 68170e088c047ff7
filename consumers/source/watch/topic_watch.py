"""Look at the log's topics: once at the start, and in a thread while the service runs.

Partitions may be added, topics may be deleted or created again, rights may be taken away. In a thread, a slow broker
delays nothing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

import structlog
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from consumers.config.schema import KafkaConfig
from consumers.errors import Stop
from consumers.events.decode import Topics
from consumers.events.record import TopicPartition
from consumers.kafka_client.client import client_options
from consumers.kafka_client.codecs import unreadable_topics
from consumers.kafka_client.problems import acls
from consumers.kafka_client.retention import removals_kept, requests_may_expire
from consumers.kafka_client.topics import Described, canary_partitions, describe
from consumers.source.options import SourceOptions
from serving.worker import Worker

log = structlog.get_logger()


class AtStart(NamedTuple):
    """What a broker tells about the topics at a start."""

    places: set[TopicPartition]
    identity: dict[str, str]
    """The identity of this log."""
    canaries: tuple[set[TopicPartition], str]
    """The partitions of the canaries' topic, or why there are none."""
    removals_kept: dict[str, float]
    """For each compacted topic of items, the seconds for which it keeps a record that removes an item."""


def at_start(config: KafkaConfig, topics: Topics, options: SourceOptions) -> AtStart:
    """Return what the broker tells about the topics.

    Raises Stop if a topic is missing that has to exist, or one cannot be read, and KafkaError.
    """
    with KafkaAdminClient(**client_options(config)) as admin:
        described, identity = _described(config, admin, topics, options.needed)
        canary = options.canary_topic
        canaries = canary_partitions(admin, canary) if canary else (set[TopicPartition](), "")
        there = {topic: kind for topic, (_, kind) in topics.items() if topic in described.ids}
        for topic in (topic for topic, kind in there.items() if kind == "forget"):
            if expiring := requests_may_expire(admin, topic):
                log.warning(expiring)
        kept = removals_kept(admin, (topic for topic, kind in there.items() if kind == "items"))
    if unreadable := unreadable_topics(config, described.places):
        raise Stop("; ".join(unreadable.values()))
    return AtStart(described.places, identity, canaries, kept)


def _described(
    config: KafkaConfig, admin: Any, topics: Topics, needed: Collection[str]
) -> tuple[Described, dict[str, str]]:
    """Return what the broker tells about the topics, and the identity of this log. Raises Stop and KafkaError.

    needed: other topics that have to exist.
    """
    cluster = admin.describe_cluster().get("cluster_id")
    described = describe(admin, topics)
    if denied := described.hidden | described.unreadable:
        raise Stop(no_right(config, denied, described.hidden))
    missing = [
        topic for topic, (_, kind) in topics.items() if topic not in described.ids and kind != "forget"
    ]
    if needed:
        others = describe(admin, needed)
        missing += [topic for topic in needed if topic not in others.ids.keys() | others.hidden]
    if missing:
        raise Stop(
            f"missing topics: {', '.join(missing)}. Create them, for example: crosscurrent check "
            "--create-topics, or kafka-topics.sh --create --topic NAME --partitions 4"
        )
    ids = {f"topic:{topic}": number for topic, number in described.ids.items()}
    return described, {"cluster": str(cluster)} | ids


def no_right(config: KafkaConfig, denied: Iterable[str], hidden: Iterable[str] = ()) -> str:
    """Say which topics may not be read, and what to do. hidden: those of them that the broker does not even show."""
    unseen = " (they may exist or not: Kafka hides topics from a user without Describe)" if hidden else ""
    names = ", ".join(sorted(denied))
    return f"no right to read {names}{unseen}. {acls.give(config, acls.topics('Read', denied))}"


class TopicWatch:
    """Looks at the topics every `seconds`. `latest` returns what the last look saw, once."""

    def __init__(self, config: KafkaConfig, topics: Iterable[str], seconds: float) -> None:
        self._config, self._topics, self._seconds = config, list(topics), seconds
        self._seen: Described | None = None
        self._closing = threading.Event()
        self._thread = Worker("topics", self._run, again=seconds)
        self._thread.start()

    def latest(self) -> Described | None:
        seen, self._seen = self._seen, None
        return seen

    def close(self) -> None:
        """Ask the thread to end: it does so at once, or after its next answer."""
        self._closing.set()
        self._thread.join(2.0)

    def _run(self) -> None:
        while not self._closing.wait(self._seconds):
            with contextlib.suppress(KafkaError, OSError, ValueError), self._admin() as admin:
                while True:
                    self._seen = describe(admin, self._topics)
                    if self._closing.wait(self._seconds):
                        return

    def _admin(self) -> Any:
        return KafkaAdminClient(**client_options(self._config))
