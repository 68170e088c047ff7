"""Send a stream of records to Kafka at a rate, each to the partition of its key. Count acknowledged ones."""

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
from consumers.kafka_client.producer import DELIVERY_SECONDS, partition_of

TopicOf = Callable[[Kind, str], str]
"""Maps a kind of record and a domain to a topic."""

IN_FLIGHT = 50_000
"""Most records that are sent and not acknowledged yet.

The producer has no limit of its own, so a slow broker would fill the memory.
"""


class DeliveryError(Stop):
    """The broker did not take a record; the message says which and why."""


class SendCounts(msgspec.Struct):
    """Counts of acknowledged records. `sent` counts interactions, `items` item records."""

    sent: int = 0
    items: int = 0
    seconds: float = 0.0
    events_per_second: float = 0.0


def default_topic(kind: Kind, domain: str) -> str:
    return f"{kind}.{domain}"


class Outsized(NamedTuple):
    """Sends records that may be too large for the broker one by one, so that no other is refused with them.

    They have a producer of their own, because an idempotent producer cannot go on after a refusal.
    """

    over: int
    """Bytes of key and value above which a record is sent alone."""
    producer: Callable[[], KafkaProducer]
    on_refused: Callable[[BadRow], object]


class Hooks(NamedTuple):
    """Functions that `send` calls while it sends."""

    on_sent: Callable[[SendCounts], object] = lambda _: None
    """Called from time to time with the counts so far."""
    prepare: Callable[[str, Kind], object] = lambda _topic, _kind: None
    """Called with a topic and its kind before the first record of that topic."""
    on_acknowledged: Callable[[Sent, Any], object] = lambda _record, _place: None
    """Called with each record that the broker has taken, and kafka-python's metadata of it."""


def send(
    records: Iterable[Sent],
    producer: KafkaProducer,
    topic_of: TopicOf = default_topic,
    rate: float | None = None,
    hooks: Hooks = Hooks(),  # noqa: B008  it never changes
    outsized: Outsized | None = None,
) -> SendCounts:
    """Send `records`; return what was sent when the broker has acknowledged all of it. Raises DeliveryError.

    rate: interactions a second (None: as fast as the broker takes them; items never wait).
    """
    delivery = _Delivery(producer, topic_of, hooks, outsized)
    counts = SendCounts()
    started = time.monotonic()
    paced_from: float | None = None
    for record in records:
        if not delivery.put(record):
            continue
        if record.kind == "items":
            counts.items += 1
        else:
            counts.sent += 1
            if rate:
                paced_from = time.monotonic() if paced_from is None else paced_from
                if (ahead := paced_from + counts.sent / rate - time.monotonic()) > 0.001:
                    time.sleep(ahead)
                hooks.on_sent(counts)
        if not (counts.sent + counts.items) % 1000:
            delivery.settle(IN_FLIGHT)
            hooks.on_sent(counts)
    delivery.flush()
    counts.seconds = time.monotonic() - started
    counts.events_per_second = (counts.sent + counts.items) / max(counts.seconds, 1e-9)
    hooks.on_sent(counts)
    return counts


class _InFlight(msgspec.Struct, gc=False):
    """A record that is not acknowledged yet."""

    record: Sent
    future: Any


class _Delivery:
    """The records of one `send` that the broker has not acknowledged yet."""

    def __init__(
        self, producer: KafkaProducer, topic_of: TopicOf, hooks: Hooks, outsized: Outsized | None
    ) -> None:
        self._producer, self._topic_of, self._hooks, self._outsized = producer, topic_of, hooks, outsized
        self._topics: dict[tuple[Kind, str], tuple[str, int]] = {}
        self._waiting: deque[_InFlight] = deque()

    def put(self, record: Sent) -> bool:
        """Send one record. Return False if the broker refused it for its size. Raises DeliveryError."""
        try:
            topic, partitions = self._topic(record.kind, record.domain)
            partition = partition_of(record.key, partitions)
            if self._outsized is not None and _size(record) > self._outsized.over:
                self._producer.flush(timeout=DELIVERY_SECONDS)
                self.settle(0)
                return _send_alone(record, topic, partition, self._outsized)
            future = self._producer.send(topic, record.value, record.key, partition=partition)
        except KafkaError as error:
            raise _delivery_error(record.file, record.line, error) from error
        self._waiting.append(_InFlight(record, future))
        return True

    def settle(self, allowed: int) -> None:
        """Wait until at most `allowed` records are unacknowledged. Raises DeliveryError for a failed record."""
        waiting = self._waiting
        while waiting and (len(waiting) > allowed or waiting[0].future.is_done):
            sent = waiting.popleft()
            try:
                place = sent.future.get(timeout=DELIVERY_SECONDS)
            except KafkaError as error:
                raise _delivery_error(sent.record.file, sent.record.line, error) from error
            self._hooks.on_acknowledged(sent.record, place)

    def flush(self) -> None:
        """Wait until every record is acknowledged. Raises DeliveryError."""
        try:
            self._producer.flush(timeout=DELIVERY_SECONDS)
        except KafkaError as error:
            raise _delivery_error("", 0, error) from error
        self.settle(0)

    def _topic(self, kind: Kind, domain: str) -> tuple[str, int]:
        """Return (topic, number of its partitions), and prepare the topic the first time."""
        found = self._topics.get((kind, domain))
        if found is None:
            topic = self._topic_of(kind, domain)
            self._hooks.prepare(topic, kind)
            found = self._topics[kind, domain] = topic, len(self._producer.partitions_for(topic))
        return found


def _size(record: Sent) -> int:
    """Return the bytes of key and value."""
    return len(record.key) + len(record.value or b"")


def _send_alone(record: Sent, topic: str, partition: int, outsized: Outsized) -> bool:
    """Send one large record and wait for it. Return whether the broker took it; a refused one is a bad row."""
    try:
        sent = outsized.producer().send(topic, record.value, record.key, partition=partition)
        sent.get(timeout=DELIVERY_SECONDS)
    except MessageSizeTooLargeError:
        why = (
            f"the record has {_size(record):,} bytes, more than topic {topic} takes (max.message.bytes): "
            "shorten the row"
        )
        outsized.on_refused(BadRow(record.file, record.line, why))
        return False
    return True


def _delivery_error(file: str, line: int, error: KafkaError) -> DeliveryError:
    return DeliveryError(f"the broker did not take {f'{file}:{line}' if file else 'a record'}: {error}")
