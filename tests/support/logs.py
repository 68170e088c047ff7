"""Make logs to test sources with: a list, and new topics on a real broker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaConnectionError

from consumers.config.schema import KafkaConfig
from consumers.events.record import Offsets, Record, TopicPartition
from consumers.source.kafka import KafkaSource
from consumers.source.options import Clients, SourceOptions
from consumers.source.protocol import Source
from tests.support.doubles import ListSource

START = 1_700_000_000_000
PATIENCE = 30.0
PARTITIONS = 2
KEPT: dict[str, Any] = {"replication_factor": 1, "configs": {"retention.ms": "-1"}}
"""Settings of a topic whose records do not expire, although their times lie years back."""

Sent = tuple[str, int, int, bytes | None]
"""(topic, partition, seconds after START, value); keys are b"k"."""


class Log(Protocol):
    """A log that is filled once and opened as often as wanted."""

    interactions: str
    items: str

    def fill(self, records: list[Sent]) -> list[Record]: ...

    def open(self) -> Source: ...


class ListLog:
    """A log in a list, in the order of filling."""

    interactions, items = "interactions.movies", "items.movies"

    def __init__(self) -> None:
        self.records: list[Record] = []

    def fill(self, records: list[Sent]) -> list[Record]:
        new = []
        for topic, partition, seconds, value in records:
            offset = sum((r.topic, r.partition) == (topic, partition) for r in self.records)
            new.append(Record(topic, partition, offset, START + 1000 * seconds, b"k", value))
            self.records.append(new[-1])
        return new

    def open(self) -> Source:
        return ListSource(self.records, poll_records=7)


class KafkaLog:
    """A log in new topics on a real broker."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.config = KafkaConfig([bootstrap], group_id=prefix)
        self.interactions, self.items = f"interactions.{prefix}", f"items.{prefix}"
        self.topics: dict[str, tuple[str, Literal["interactions", "items", "forget"]]] = {
            self.interactions: ("movies", "interactions"),
            self.items: ("movies", "items"),
        }
        with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
            admin.create_topics(
                {topic: KEPT | {"num_partitions": PARTITIONS} for topic in self.topics},
                wait_for_metadata=True,
            )
        self.opened: list[KafkaSource] = []
        self._oldest: dict[KafkaPartition, int] = {}

    def fill(self, records: list[Sent], **producer: Any) -> list[Record]:
        with KafkaProducer(
            bootstrap_servers=self.config.bootstrap_servers, linger_ms=5, **producer
        ) as client:
            if "transactional_id" in producer:
                client.init_transactions()
                client.begin_transaction()
            sent = []
            for topic, partition, seconds, value in records:
                millis = START + 1000 * seconds
                future = client.send(topic, value, b"k", partition=partition, timestamp_ms=millis)
                sent.append((topic, partition, millis, value, future))
            if "transactional_id" in producer:
                client.commit_transaction()
            return [
                Record(topic, partition, future.get(PATIENCE).offset, millis, b"k", value)
                for topic, partition, millis, value, future in sent
            ]

    @property
    def places(self) -> list[TopicPartition]:
        return [(topic, partition) for topic in self.topics for partition in range(PARTITIONS)]

    def expire(self, place: TopicPartition, before: int) -> None:
        """Delete the records before an offset. The embedded broker cannot: there the oldest offset is made up."""
        with KafkaAdminClient(bootstrap_servers=self.config.bootstrap_servers) as admin:
            try:
                admin.delete_records({KafkaPartition(*place): before})
            except KafkaConnectionError:
                self._oldest[KafkaPartition(*place)] = before

    def open(self, clients: Clients = Clients(), **options: Any) -> KafkaSource:  # noqa: B008  it never changes
        def consumer(**words: Any) -> KafkaConsumer:
            made = clients.consumer(**words)
            told = made.beginning_offsets
            made.beginning_offsets = lambda tps: (
                told(tps) | {tp: offset for tp, offset in self._oldest.items() if tp in tps}
            )
            return made

        made = clients._replace(consumer=consumer)
        source = KafkaSource(self.config, self.topics, SourceOptions(**options), made)
        self.opened.append(source)
        return source


def added_later(place: TopicPartition) -> Clients:
    """Return clients that do not show a partition at the start. The embedded broker cannot add one."""
    made: list[KafkaAdminClient] = []

    def admin(**words: Any) -> KafkaAdminClient:
        client = KafkaAdminClient(**words)
        if not made:
            describe = client.describe_topics
            client.describe_topics = lambda topics: [_without(place, topic) for topic in describe(topics)]
        made.append(client)
        return client

    return Clients(admin=admin)


def _without(place: TopicPartition, topic: dict[str, Any]) -> dict[str, Any]:
    left = [p for p in topic["partitions"] if (topic["name"], p["partition_index"]) != place]
    return topic | {"partitions": left}


def read(source: Source, until: Callable[[list[Record]], bool], settle: float = 0.0) -> list[Record]:
    """Poll until `until` holds, then for `settle` seconds more, in which nothing should come."""
    records: list[Record] = []
    deadline = time.monotonic() + PATIENCE
    while not until(records):
        assert time.monotonic() < deadline, f"only {len(records)} records came"
        records += source.poll(0.05)
    deadline = time.monotonic() + settle
    while time.monotonic() < deadline:
        records += source.poll(0.05)
    return records


def read_all(source: Source, n: int) -> list[Record]:
    return read(source, lambda records: len(records) >= n, settle=0.2)


def by_place(records: list[Record]) -> dict[TopicPartition, list[Record]]:
    places: dict[TopicPartition, list[Record]] = {}
    for record in records:
        places.setdefault((record.topic, record.partition), []).append(record)
    return places


def ends(records: list[Record]) -> Offsets:
    return {place: those[-1].offset + 1 for place, those in by_place(records).items()}


def some(log: Log, n: int = 40) -> list[Sent]:
    """Return interactions in both partitions with a few items, in time order."""
    return [
        (log.items if k % 10 == 0 else log.interactions, k // 2 % PARTITIONS, k, b"%d" % k) for k in range(n)
    ]
