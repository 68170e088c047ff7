"""What the service needs of a log of records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from consumers.events.record import Offsets, Record, TopicPartition


class Unavailable(Exception):
    """The log did not answer; the same call may succeed later. Raised by `poll` and `commit` only."""


class Source(Protocol):
    """What the pipeline needs of a log. Not thread-safe: one thread calls everything, and tells others what they need
    (`Reporter.lag`, `Pipeline.caught_up`)."""

    def start(self, offsets: Offsets, identity: Mapping[str, str], complete: bool = True) -> Offsets:
        """Called once, before `poll`. Reading begins at `offsets`; a place without one, at its beginning.

        Gives the offset of every place at which reading begins.

        `identity` is what the checkpoint knew of the log (empty without one); `complete`: whether `offsets` has every
        place that was there then. Raises Stop (exit 4) where an offset is out of range or the log is another one,
        naming what is missing.
        """

    def poll(self, timeout: float) -> list[Record]:
        """The next records, in order within each place; empty after `timeout` seconds. May raise Unavailable."""

    def commit(self, offsets: Offsets) -> None:
        """Publishes the next offsets for lag tools; the checkpoint stays the truth. May raise Unavailable."""

    def identity(self) -> dict[str, str]:
        """What tells this log from another: goes into the checkpoint."""

    def next_offsets(self, offsets: Offsets) -> Offsets:
        """Where a restart would read on, for every place, given the next offsets to learn. A place that nothing was
        learned from has one, too, and it lies beyond what follows the last learned record without being one."""

    def lag(self, offsets: Offsets) -> dict[TopicPartition, int]:
        """Records behind the end of the log, per place, given the next offsets to learn."""

    def waiting(self) -> list[Record]:
        """Of each place the next record that `poll` has yet to give, where it is known."""

    def items_read(self) -> bool:
        """True once the item topics were handed out to their end: lists may be published."""

    def reached_start_end(self, offsets: Offsets) -> bool:
        """True once `offsets` is past the log ends that were seen at start."""

    def lost(self) -> int:
        """Records that were skipped with --accept-gap."""

    def close(self) -> None: ...
