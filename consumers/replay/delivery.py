"""Any stream of records into Kafka: paced, each in the partition of its key, counted when acknowledged."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec
from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError

from consumers.datasets.problems import BadRow
from consumers.datasets.record import Sent
from consumers.errors import Stop
from consumers.events.record import Kind
from consumers.kafka_client.producer import partition_of

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


class Outsized(NamedTuple):
    """How records are sent that may be too large for the broker: each alone, so that only it can be refused.

    By a producer of their own, because an idempotent one is of no more use after a refusal.
    """

    over: int
    """Bytes of key and value; larger records go this way."""
    producer: Callable[[], KafkaProducer]
    on_refused: Callable[[BadRow], object]


def send(
    records: Iterable[Sent],
    producer: KafkaProducer,
    topic_of: TopicOf = default_topic,
    rate: float | None = None,
    on_sent: Callable[[SendCounts], object] = lambda _: None,
    prepare: Callable[[str, Kind], object] = lambda _topic, _kind: None,
    outsized: Outsized | None = None,
) -> SendCounts:
    """Sends `records` and returns when the broker has acknowledged all of them.

    `rate`: interactions a second (None: as fast as the broker takes them; items never wait). Called back are
    `prepare(topic, kind)` before a topic's first record and `on_sent` now and then. Raises DeliveryError.
    """
    counts = SendCounts()
    topics: dict[tuple[Kind, str], tuple[str, int]] = {}
    waiting: deque[_InFlight] = deque()
    started = time.monotonic()
    paced_from: float | None = None
    for record in records:
        at = (record.kind, record.domain)
        try:
            if at not in topics:
                topic = topic_of(*at)
                prepare(topic, record.kind)
                topics[at] = topic, len(producer.partitions_for(topic))
            topic, partitions = topics[at]
            partition = partition_of(record.key, partitions)
            if outsized is not None and len(record.key) + len(record.value or b"") > outsized.over:
                producer.flush(timeout=DELIVERY_SECONDS)
                _settle(waiting, 0)
                if not _send_alone(record, topic, partition, outsized):
                    continue
            else:
                future = producer.send(topic, record.value, record.key, partition=partition)
                waiting.append(_InFlight(record.file, record.line, future))
        except KafkaError as error:
            raise _delivery_error(record.file, record.line, error) from error
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
            _settle(waiting, IN_FLIGHT)
            on_sent(counts)
    try:
        producer.flush(timeout=DELIVERY_SECONDS)
    except KafkaError as error:
        raise _delivery_error("", 0, error) from error
    _settle(waiting, 0)
    counts.seconds = time.monotonic() - started
    counts.events_per_second = (counts.sent + counts.items) / max(counts.seconds, 1e-9)
    on_sent(counts)
    return counts


class _InFlight(msgspec.Struct, gc=False):
    """A record on its way, and where it came from."""

    file: str
    line: int
    future: Any


def _settle(waiting: deque[_InFlight], allowed: int) -> None:
    """Raises DeliveryError for a failed record; waits until no more than `allowed` are unacknowledged."""
    while waiting and (len(waiting) > allowed or waiting[0].future.is_done):
        sent = waiting.popleft()
        try:
            sent.future.get(timeout=DELIVERY_SECONDS)
        except KafkaError as error:
            raise _delivery_error(sent.file, sent.line, error) from error


def _send_alone(record: Sent, topic: str, partition: int, outsized: Outsized) -> bool:
    """Whether the broker took it; else it is a bad row."""
    try:
        sent = outsized.producer().send(topic, record.value, record.key, partition=partition)
        sent.get(timeout=DELIVERY_SECONDS)
    except MessageSizeTooLargeError:
        size = len(record.key) + len(record.value or b"")
        why = f"the record has {size:,} bytes, more than topic {topic} takes (max.message.bytes): shorten the row"
        outsized.on_refused(BadRow(record.file, record.line, why))
        return False
    return True


def _delivery_error(file: str, line: int, error: KafkaError) -> DeliveryError:
    return DeliveryError(f"the broker did not take {f'{file}:{line}' if file else 'a record'}: {error}")
