"""A checkpointer that remembers what it reported, and one of a large state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from consumers.events.record import Offsets
from consumers.service.checkpoint_writer import Checkpointer
from models.state.checkpoint import CheckpointDirectory
from models.state.dirty_keys import Touched
from models.state.tracked_tables import Live, Rows
from tests.support.clock import Clock


class Kept(Checkpointer):
    """A checkpointer that remembers what it reported."""

    def __init__(self, path: Path, interval: float = 10.0, whole_mb: float = 32.0) -> None:
        self.clock = Clock()
        self.written: list[Offsets] = []
        super().__init__(
            path, interval, lambda offsets, _seconds: self.written.append(offsets), self.clock, whole_mb
        )


class Counts(Live):
    """One table of a million numbers."""

    def __init__(self) -> None:
        self.values, self.written = np.zeros(1_000_000), Touched()

    def add(self, row: int) -> None:
        self.values[row] += 1.0
        self.written.add(row)

    def live(self) -> dict[str, Any]:
        return {"counts": Rows(self.written, self.values)}


class Large:
    """A checkpointer of a state that is too large to be copied whole: `counts` holds a row a user."""

    def __init__(self, path: Path) -> None:
        self.path, self.kept, self.counts = path, Kept(path, whole_mb=1.0), Counts()
        self.wholes = 0

    def restart(self) -> None:
        self.kept.close()
        self.kept = Kept(self.path, whole_mb=1.0)
        loaded = self.kept.load()
        assert loaded is not None
        counts = Counts()
        counts.values = loaded["counts"].copy()
        self.kept.settled(counts.live(), loaded)
        self.counts = counts

    def save(self, row: int, last: bool = False) -> None:
        self.counts.add(row)
        self.kept.poll()
        self.kept.take(self.counts.live(), {("t", 0): row}, last=last)
        assert self.kept._running is not None
        self.wholes += not self.kept._running.taken.increment
        self.kept.poll(wait=True)

    def forget(self, row: int) -> None:
        self.counts.values[row] = 0.0
        self.counts.written.drop(row)
        self.kept.purge_older()

    def compacted(self) -> int:
        """Waits for the other process; gives its exit code."""
        assert self.kept._compacting is not None
        return self.kept._compacting.process.wait(120)

    def rows(self) -> list[int]:
        loaded, problems = CheckpointDirectory(self.path, read_only=True).load()
        assert problems == []
        assert loaded is not None
        return np.flatnonzero(loaded["counts"]).tolist()
