"""Any stream of records into Kafka: paced, each in the partition of its key, counted when acknowledged."""

from __future__ import annotations

import functools
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError
from kafka.partitioner.default import murmur2

from consumers.datasets.problems import BadRow
from consumers.errors import Stop
from consumers.rows import Kind, Sent

TopicOf = Callable[[Kind, str], str]
"""The topic for a kind of record and a domain."""

IN_FLIGHT = 50_000
"""Records sent and not yet acknowledged; the producer has no limit of its own, a slow broker would fill memory."""

DELIVERY_SECONDS = 60.0


class DeliveryError(Stop):
    """The broker did not take a record; the message says which and why."""


class SendCounts(msgspec.Struct):
    """What was acknowledged. `sent` counts interactions, `items` item records."""

    sent: int = 0
    items: int = 0
    seconds: float = 0.0
    events_per_second: float = 0.0


def default_topic(kind: Kind, domain: str) -> str:
    return f"{kind}.{domain}"


def send(
    records: Iterable[Sent],
    producer: KafkaProducer,
    topic_of: TopicOf = default_topic,
    rate: float | None = None,
    on_sent: Callable[[SendCounts], object] = lambda _: None,
    prepare: Callable[[str, Kind], object] = lambda _topic, _kind: None,
    on_refused: Callable[[BadRow], object] | None = None,
) -> SendCounts:
    """Sends `records` and returns when the broker has acknowledged all of them.

    `rate`: interactions a second (None: as fast as the broker takes them; items never wait). Called back are
    `prepare(topic, kind)` before a topic's first record, `on_sent` now and then, and `on_refused` for a record that
    is too large for the broker; without it, that is an error as any other. Raises DeliveryError.
    """
    counts = SendCounts()
    topics: dict[tuple[Kind, str], tuple[str, int]] = {}
    waiting: deque[_InFlight] = deque()
    started = time.monotonic()
    paced_from: float | None = None
    try:
        for record in records:
            at = (record.kind, record.domain)
            if at not in topics:
                topic = topic_of(*at)
                prepare(topic, record.kind)
                topics[at] = topic, len(producer.partitions_for(topic))
            topic, partitions = topics[at]
            partition = partition_of(record.key, partitions)
            sent = _InFlight(record.kind, record.file, record.line, topic, len(record.value or b""))
            try:
                sent.future = producer.send(topic, record.value, record.key, partition=partition)
            except MessageSizeTooLargeError as error:
                _refuse(sent, error, on_refused)
                continue
            waiting.append(sent)
            if record.kind == "items":
                counts.items += 1
            else:
                counts.sent += 1
                if rate:
                    paced_from = time.monotonic() if paced_from is None else paced_from
                    if (ahead := paced_from + counts.sent / rate - time.monotonic()) > 0.001:
                        time.sleep(ahead)
                    on_sent(counts)
            if not (counts.sent + counts.items) % 1000:
                _settle(waiting, IN_FLIGHT, counts, on_refused)
                on_sent(counts)
        producer.flush(timeout=DELIVERY_SECONDS)
        _settle(waiting, 0, counts, on_refused)
    except KafkaError as error:
        raise DeliveryError(f"the broker did not take a record: {error}") from error
    counts.seconds = time.monotonic() - started
    counts.events_per_second = (counts.sent + counts.items) / max(counts.seconds, 1e-9)
    on_sent(counts)
    return counts


@functools.lru_cache(maxsize=100_000)
def partition_of(key: bytes, partitions: int) -> int:
    """The default partitioner's choice. Remembered, because its hash in Python is a sixth of the cost of sending."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


class _InFlight(msgspec.Struct, gc=False):
    """A record on its way, and where it came from."""

    kind: Kind
    file: str
    line: int
    topic: str
    bytes: int
    future: Any = None


def _settle(
    waiting: deque[_InFlight],
    allowed: int,
    counts: SendCounts,
    on_refused: Callable[[BadRow], object] | None,
) -> None:
    """Raises the error of a failed record, and waits until no more than `allowed` are unacknowledged."""
    while waiting and (len(waiting) > allowed or waiting[0].future.is_done):
        sent = waiting.popleft()
        try:
            sent.future.get(timeout=DELIVERY_SECONDS)
        except MessageSizeTooLargeError as error:
            _refuse(sent, error, on_refused)
            if sent.kind == "items":
                counts.items -= 1
            else:
                counts.sent -= 1


def _refuse(sent: _InFlight, error: KafkaError, on_refused: Callable[[BadRow], object] | None) -> None:
    if on_refused is None:
        raise error
    limit = f"than topic {sent.topic} takes (max.message.bytes): shorten the row, or raise the topic's limit"
    on_refused(BadRow(sent.file, sent.line, f"the record has {sent.bytes:,} bytes, more {limit}"))
