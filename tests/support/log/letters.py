"""Make dead letters, and read back those that were delivered."""

from __future__ import annotations

import time

from kafka import KafkaConsumer, TopicPartition

from consumers.dead_letters.sink import DeadLetter, Sink, dead_letter
from consumers.events.record import Record

PATIENCE = 30.0


def letter(n: int, key: bytes | None = b"k", value: bytes | None = b"{") -> DeadLetter:
    record = Record("interactions.movies", 1, n, 1_700_000_000_000 + n, key, value)
    return dead_letter(record, "malformed_json", "Input data was truncated")


def delivered(sink: Sink) -> bool:
    """Return whether all letters are acknowledged in the end."""
    return sink.wait(sink.sent, PATIENCE)


def read(bootstrap: str, topic: str, n: int) -> list[DeadLetter]:
    """Return the topic's letters, in order, once there are at least `n`."""
    with KafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=20
    ) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        found: list[DeadLetter] = []
        deadline = time.monotonic() + PATIENCE
        while len(found) < n:
            assert time.monotonic() < deadline, f"only {len(found)} of {n} letters"
            for messages in consumer.poll(timeout_ms=100).values():
                found += [DeadLetter(m.key, m.value, list(m.headers)) for m in messages]
        return found
