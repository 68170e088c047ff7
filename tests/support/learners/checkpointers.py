"""Make checkpointers: one that remembers its reports, and one of a large state."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from consumers.events.record import Offsets
from consumers.service.saving.checkpoint_policy import CheckpointPolicy
from consumers.service.saving.checkpointer import Checkpointer
from models.state.checkpoint import INCREMENT, CheckpointDirectory
from models.state.dirty_keys import DirtyKeys
from models.state.durable_files import write_durably
from models.state.tracked_tables import Checkpointed, Rows
from tests.support.clock import Clock

INCREMENTS = CheckpointPolicy(whole_mb=0.0)
"""Every checkpoint after the first is an increment."""
MEGABYTE = CheckpointPolicy(whole_mb=1.0)


def always_due(
    path: Path,
    written: Callable[[Offsets, float], None] = lambda _offsets, _seconds: None,
    policy: CheckpointPolicy = CheckpointPolicy(),  # noqa: B008  it never changes
) -> Checkpointer:
    """Return a checkpointer that finds a checkpoint due at every step."""
    ticks = itertools.count(0, 100)
    return Checkpointer(path, 10.0, written, lambda: float(next(ticks)), policy)


class Disk:
    """A disk on which state files cannot be written while `errno` is not 0."""

    def __init__(self) -> None:
        self.errno = 0
        self.policy = CheckpointPolicy(write_file=self.write_file)

    def write_file(self, path: Path, data: bytes) -> None:
        if self.errno and path.name == "state.msgpack":
            raise OSError(self.errno, os.strerror(self.errno))
        write_durably(path, data)


class Kept(Checkpointer):
    """A checkpointer that remembers what it reported."""

    def __init__(self, path: Path, policy: CheckpointPolicy = CheckpointPolicy()) -> None:  # noqa: B008  it never changes
        self.clock = Clock()
        self.written: list[Offsets] = []
        super().__init__(
            path, 10.0, lambda offsets, _seconds: self.written.append(offsets), self.clock, policy
        )


class Counts(Checkpointed):
    """One table of a million numbers."""

    def __init__(self) -> None:
        self.values, self.written = np.zeros(1_000_000), DirtyKeys()

    def add(self, row: int) -> None:
        self.values[row] += 1.0
        self.written.add(row)

    def live(self) -> dict[str, Any]:
        return {"counts": Rows(self.written, self.values)}


class Large:
    """A checkpointer of a state that is too large to be copied whole: `counts` has one row for each user."""

    def __init__(self, path: Path) -> None:
        self.path, self.kept, self.counts = path, Kept(path, MEGABYTE), Counts()
        self.wholes = 0

    def restart(self) -> None:
        self.kept.close()
        self.kept = Kept(self.path, MEGABYTE)
        loaded = self.kept.load()
        assert loaded is not None
        counts = Counts()
        counts.values = loaded["counts"].copy()
        self.kept.mark_clean(counts.live(), loaded)
        self.counts = counts

    def save(self, row: int, last: bool = False) -> None:
        self.counts.add(row)
        self.kept.poll()
        self.kept.take(self.counts.live(), {("t", 0): row}, last=last)
        self.kept.poll(wait=True)
        newest = max(self.path.glob("0*"))
        self.wholes += not (newest / INCREMENT.manifest).exists()

    def forget(self, row: int) -> None:
        self.counts.values[row] = 0.0
        self.counts.written.drop(row)
        self.kept.purge_older()

    def compacted(self) -> int:
        """Wait for the other process and return its exit code."""
        return wait_for_compaction(self.kept)

    def rows(self) -> list[int]:
        loaded, problems = CheckpointDirectory(self.path, read_only=True).load()
        assert problems == []
        assert loaded is not None
        return np.flatnonzero(loaded["counts"]).tolist()


def wait_for_compaction(checkpointer: Checkpointer) -> int:
    """Wait for the running compaction and return its exit code."""
    assert checkpointer.compaction is not None
    return checkpointer.compaction.process.wait(120)
