"""Define a record of the log: raw bytes, topic, partition and offset."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Kind = Literal["interactions", "items"]
"""What a topic holds."""


class Record(NamedTuple):
    """One record as the log holds it. `timestamp` is ms since the epoch, below 0 if the log has none."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


def record_of(message: Any) -> Record:
    """Return a message of kafka-python as a record."""
    return Record(
        message.topic, message.partition, message.offset, message.timestamp, message.key, message.value
    )


TopicPartition = tuple[str, int]
"""Topic and partition."""
Offsets = dict[TopicPartition, int]
"""The next offset to read, by partition."""
