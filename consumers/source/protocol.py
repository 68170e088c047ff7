"""The protocol of a log of records."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Protocol

from consumers.events.record import Offsets, Record, TopicPartition

Times = Mapping[TopicPartition, float]
"""Seconds since the epoch."""
NEVER: Times = {}


class Unavailable(Exception):
    """The log did not answer; the next try may succeed. Only `poll` raises it."""


class Source(Protocol):
    """What the pipeline needs of a log.

    It is not thread-safe: one thread calls everything, and passes on what other threads need (`Reporter.lag`,
    `Pipeline.caught_up`, `Pipeline.log_problem`).
    """

    def start(
        self, offsets: Offsets, identity: Mapping[str, str], complete: bool = True, at_end: Times = NEVER
    ) -> Offsets:
        """Begin to read at `offsets`, and partitions without one at their beginning. Call it once, before `poll`.

        Return the offset of every partition where reading begins.

        identity: what the checkpoint knew of the log (empty without a checkpoint). complete: whether `offsets` has
        every partition that existed then. at_end: what `at_end` returned then. Raises Stop (exit 4), naming what is
        missing, if an offset is out of range or the log is another one.
        """

    def poll(self, timeout: float) -> list[Record]:
        """Return the next records, in order within each partition; none after `timeout` seconds.

        May raise Unavailable.
        """

    def commit(self, offsets: Offsets) -> None:
        """Publish the next offsets for lag tools, some time later. The checkpoint remains the truth."""

    def identity(self) -> dict[str, str]:
        """Return the identity of this log, which the checkpoint keeps."""

    def next_offsets(self, offsets: Offsets) -> Offsets:
        """Return the offset at which a restart would read each partition, given the next offsets to learn.

        This includes partitions from which nothing was learned. Offsets after the last learned record that hold no
        record are skipped.
        """

    def lag(self, offsets: Offsets) -> dict[TopicPartition, int]:
        """Return the number of records behind the end of the log, per partition, given the next offsets to learn."""

    def problem(self) -> str | None:
        """Return what cannot be read now, and what to do; None if all can."""

    def behind(self) -> bool:
        """Return whether there are records, as far as is known, that `poll` has yet to hand out."""

    def waiting(self) -> list[Record]:
        """Return the next record that `poll` has yet to hand out, of each partition where it is known."""

    def items_read(self) -> bool:
        """Return whether the item topics were handed out to their end, so that lists may be published."""

    def learned(self, offsets: Offsets) -> None:
        """Take note of the next offsets to learn. Call it after each batch."""

    def anew(self) -> Set[str]:
        """Return the topics of items that are being read from their oldest record once more.

        When one is learned to its end, `learned` removes it here: items without a record in it are gone.
        """

    def at_end(self) -> Times:
        """Return when partitions of compacted topics of items were last learned to their end, for the checkpoint."""

    def reached_start_end(self, offsets: Offsets) -> bool:
        """Return whether `offsets` is past the ends that the log had at the start."""

    def lost(self) -> int:
        """Return the number of records that were skipped with --accept-gap."""

    def close(self) -> None: ...
