"""How the log is read."""

from __future__ import annotations

import msgspec

from consumers.source.ownership import Everything, Ownership
from consumers.source.time_merge import BUFFER_BYTES


class SourceOptions(msgspec.Struct, frozen=True):
    """How `KafkaSource` reads the log."""

    accept_gap: bool = False
    """Go on although records are gone from the log, and count them."""
    canary_topic: str = ""
    """Topic of the service's own records; "" for none."""
    needed: tuple[str, ...] = ()
    """Other topics that have to exist. They are not read."""
    poll_records: int = 2000
    """Most records of one `poll`."""
    watch_seconds: float = 5.0
    """Seconds between two looks for partitions that were added."""
    patience_seconds: float = 1.0
    """Seconds for which records wait, for the sake of time order, for a partition that delivers nothing."""
    late_seconds: float = 60.0
    """Seconds without reaching the end of a topic of items that do not matter while the service runs."""
    buffer_bytes: int = BUFFER_BYTES
    """Memory for records that wait for their turn, of all partitions together."""
    ownership: Ownership = Everything()
    """Which partitions are read."""
