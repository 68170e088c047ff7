"""Have increments compacted: another process merges them into one whole checkpoint, and the stream goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from consumers.events.record import Offsets
from consumers.service.saving.checkpoint_policy import CheckpointPolicy
from models.state.checkpoint import CheckpointDirectory

log = structlog.get_logger()


class Compaction(NamedTuple):
    """A process that makes the checkpoint `sequence` whole. offsets: those of that checkpoint."""

    process: subprocess.Popen[bytes]
    sequence: int
    offsets: Offsets


class Compactor:
    """Runs one compaction at a time. `running`: the one that is at work.

    made_whole: a finished one. Older checkpoints are deleted with the next write, because deleting gigabytes takes
    time. failures: compactions that failed since the last one that did not.

    A cut is the number of a checkpoint whose predecessors must be deleted, because they hold a user to forget.
    """

    def __init__(self, directory: CheckpointDirectory, policy: CheckpointPolicy) -> None:
        self._directory = directory
        self._policy = policy
        self.running: Compaction | None = None
        self.made_whole: Compaction | None = None
        self.failures = 0

    def collect(self, cuts: Sequence[int]) -> None:
        """Take note of the running compaction if it has ended."""
        running = self.running
        if running is None or (code := running.process.poll()) is None:
            return
        self.running = None
        if code:
            self.failures += 1
            log.warning("checkpoints could not be compacted; increments go on", code=code, purging=cuts)
            return
        self.failures = 0
        if any(cut <= running.sequence for cut in cuts):
            self.made_whole = running

    def start_if_due(self, cuts: Sequence[int], offsets: Offsets) -> None:
        """Compact the newest checkpoint, which has these offsets, if a cut or the number of increments asks for it."""
        newest = self._directory.newest
        if self.running is not None or newest is None:
            return
        grown, whole, policy = self._directory.growth(), self.made_whole, self._policy
        many = grown.increments >= policy.min_increments and grown.bytes > grown.whole
        purging = any(whole is None or cut > whole.sequence for cut in cuts)
        if purging or many or grown.increments >= policy.max_increments:
            line = [sys.executable, "-m", "models.state.compact", str(self._directory.path), str(newest)]
            process = subprocess.Popen(  # noqa: S603  our own
                line,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C must not end it
            )
            self.running = Compaction(process, newest, offsets)

    def purged(self, done: Compaction) -> None:
        """Note that everything older than a finished compaction is deleted."""
        if self.made_whole is done:
            self.made_whole = None

    def reset(self) -> None:
        """Note that a standalone checkpoint is the only one on disk."""
        self.made_whole, self.failures = None, 0

    def end(self) -> None:
        """Stop a running compaction and remove what it has written: it holds an older state."""
        running, self.running = self.running, None
        if running is not None:
            running.process.kill()
            running.process.wait()
        self._directory.clear()
