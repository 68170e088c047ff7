"""Where records come from: raw bytes with their place in the log. `ListSource` is the in-memory one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Record(NamedTuple):
    """One record as the log holds it. `timestamp` is ms since the epoch, below 0 if the log has none."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


Place = tuple[str, int]
"""(topic, partition)"""
Offsets = dict[Place, int]
"""The next offset to read, per place."""


class Unavailable(Exception):
    """The log did not answer; the same call may succeed later. Raised by `poll` and `commit` only."""


class Abort(Exception):
    """A crash in a test's record list: `[record, record, Abort(), record]`."""


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

    def lag(self, offsets: Offsets) -> dict[Place, int]:
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


class ListSource:
    """A log in a list. Offsets count per place; `Abort()` in the list is raised when its turn comes.

    `begins`: the oldest offset of places where that is not 0; they need not have a record.
    """

    def __init__(
        self, records: Sequence[Record | Abort], poll_records: int = 500, begins: Offsets | None = None
    ) -> None:
        self.records = records
        self.poll_records = poll_records
        self.begins = begins or {}
        self.committed: Offsets = {}
        self._position = 0
        self._aborted: set[int] = set()
        self._offsets: Offsets = {}

    def start(self, offsets: Offsets, identity: Mapping[str, str], complete: bool = True) -> Offsets:
        del identity, complete
        self._position = 0
        self._offsets = dict.fromkeys(self._ends(), 0) | self.begins | offsets
        return dict(self._offsets)

    def items_read(self) -> bool:
        return True

    def poll(self, timeout: float) -> list[Record]:
        del timeout
        out: list[Record] = []
        while self._position < len(self.records) and len(out) < self.poll_records:
            record = self.records[self._position]
            if isinstance(record, Abort):
                if self._position in self._aborted:  # a crash happens once
                    self._position += 1
                    continue
                if out:
                    break
                self._aborted.add(self._position)
                raise record
            self._position += 1
            if record.offset >= self._offsets.get((record.topic, record.partition), 0):
                out.append(record)
        return out

    @property
    def exhausted(self) -> bool:
        return self._position >= len(self.records)

    def commit(self, offsets: Offsets) -> None:
        self.committed = dict(offsets)

    def identity(self) -> dict[str, str]:
        return {}

    def _ends(self) -> Offsets:
        ends: Offsets = {}
        for record in self.records:
            if isinstance(record, Record):
                ends[record.topic, record.partition] = record.offset + 1
        return ends

    def next_offsets(self, offsets: Offsets) -> Offsets:
        return self._offsets | offsets

    def waiting(self) -> list[Record]:
        first: dict[Place, Record] = {}
        for record in self.records[self._position :]:
            if isinstance(record, Record):
                place = (record.topic, record.partition)
                if record.offset >= self._offsets.get(place, 0):
                    first.setdefault(place, record)
        return list(first.values())

    def lag(self, offsets: Offsets) -> dict[Place, int]:
        return {place: max(0, end - offsets.get(place, 0)) for place, end in self._ends().items()}

    def reached_start_end(self, offsets: Offsets) -> bool:
        return not any(self.lag(offsets).values())

    def lost(self) -> int:
        return 0

    def close(self) -> None:
        self._position = len(self.records)
