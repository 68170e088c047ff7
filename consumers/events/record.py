"""Define a record of the log: raw bytes, topic, partition and offset."""

from __future__ import annotations

from typing import Literal, NamedTuple

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


TopicPartition = tuple[str, int]
"""Topic and partition."""
Offsets = dict[TopicPartition, int]
"""The next offset to read, by partition."""
