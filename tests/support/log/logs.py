"""Make logs to test sources against: a list, and topics of their own on a real broker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

from kafka import KafkaAdminClient, KafkaProducer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaConnectionError

from consumers.config.schema import KafkaConfig
from consumers.events.record import Offsets, Record, TopicPartition
from consumers.source.kafka import KafkaSource
from consumers.source.options import SourceOptions
from consumers.source.protocol import Source
from tests.support.doubles import ListSource

START = 1_700_000_000_000
PATIENCE = 30.0
PARTITIONS = 2
KEPT: dict[str, Any] = {"replication_factor": 1, "configs": {"retention.ms": "-1"}}
"""Settings of a topic whose records do not expire by themselves, although their times lie years back."""

Sent = tuple[str, int, int, bytes | None]
"""(topic, partition, seconds after START, value); keys are b"k"."""


class Log(Protocol):
    """A log that is filled once and can then be opened many times."""

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
    """A log on a real broker, with topics of its own."""

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
        self._opened: list[KafkaSource] = []
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
        """Delete the records before an offset. The embedded broker cannot, so a false oldest offset stands in."""
        with KafkaAdminClient(bootstrap_servers=self.config.bootstrap_servers) as admin:
            try:
                admin.delete_records({KafkaPartition(*place): before})
            except KafkaConnectionError:
                self._oldest[KafkaPartition(*place)] = before

    def open(self, **options: Any) -> KafkaSource:
        source = KafkaSource(self.config, self.topics, SourceOptions(**options))
        self._opened.append(source)
        consumer = source._consumer.consumer
        told = consumer.beginning_offsets
        consumer.beginning_offsets = lambda tps: (
            told(tps) | {tp: offset for tp, offset in self._oldest.items() if tp in tps}
        )
        return source

    def close(self) -> None:
        """Close every source that was opened."""
        for source in self._opened:
            source.close()


def read(source: Source, until: Callable[[list[Record]], bool], settle: float = 0.0) -> list[Record]:
    """Poll until the condition holds, and for `settle` seconds more, in which no record should come."""
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
    """Return interactions of both partitions with a few items, in time order."""
    return [
        (log.items if k % 10 == 0 else log.interactions, k // 2 % PARTITIONS, k, b"%d" % k) for k in range(n)
    ]
