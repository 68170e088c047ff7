"""Take checkpoints, and write them in a thread while the stream goes on."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.record import Offsets
from consumers.service.saving.checkpoint_policy import CheckpointPolicy
from consumers.service.saving.compactor import Compaction, Compactor
from consumers.service.saving.directory_lock import locked
from models.memory import give_back
from models.state.checkpoint import KEEP, CheckpointDirectory, UnusableError, snapshot, versions
from models.state.snapshot import Snapshot, mark_clean, table_bytes

log = structlog.get_logger()

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of a full disk, quota or file size limit. An operator may make room while the service waits."""


class _Running(NamedTuple):
    """A write in progress.

    cut: it is the first checkpoint without users who must be forgotten. standalone: it is whole, and all others are
    deleted after it. purged: a finished compaction; what is older than that is deleted before the write.
    """

    future: Future[float | None]
    taken: Snapshot
    offsets: Offsets
    cut: bool
    standalone: bool
    purged: Compaction | None


class Checkpointer:
    """Owns the checkpoint directory, which is locked against a second process.

    `poll` calls `written(offsets, seconds)`, on the caller's thread, once a checkpoint with those offsets is on disk.
    While the disk is full, `problem` says so. Then nothing is committed, `due` is true every 2 s, and the caller should
    stop reading, because what it learns cannot be saved.

    After `purge_older`, everything older than the next checkpoint is deleted. A small state is written whole, and older
    ones go at once. A large state is made whole by another process first, so that the stream does not wait. Until then
    every checkpoint says that older ones must go (`alone` in its state), and a restart continues.
    """

    def __init__(
        self,
        path: Path,
        interval: float,
        written: Callable[[Offsets, float], None],
        clock: Callable[[], float] = time.monotonic,
        policy: CheckpointPolicy = CheckpointPolicy(),  # noqa: B008  it never changes
    ) -> None:
        """Lock and open the directory. Raises Stop. interval: seconds."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = locked(path / "LOCK")
            # It deletes leftovers, so the lock comes first.
            self._directory = CheckpointDirectory(path, write_file=policy.write_file)
        except BlockingIOError as error:
            raise Stop(
                f"checkpoint.directory {path}: another process uses it. Stop that one, or set another directory.",
                STATE_UNUSABLE,
            ) from error
        except OSError as error:
            raise Stop(f"checkpoint.directory {path}: {error.strerror}. It must be writable.") from error
        self._interval = interval
        self._written = written
        self._clock = clock
        self._policy = policy
        self._large = False
        self._compactor = Compactor(self._directory, policy)
        self._offsets: Offsets = {}
        """The offsets of the newest checkpoint on disk."""
        self._pool = ThreadPoolExecutor(1, "checkpoint")
        self._running: _Running | None = None
        self._purge_older = False
        self._cuts: list[int] = []
        """Numbers of checkpoints whose predecessors must be deleted and are not all deleted yet."""
        self.erased: Offsets = {}
        """No checkpoint holds users whose requests lie before these offsets."""
        self.last_good = clock()
        self._started = clock()
        self.problem: str | None = None
        self._failure: str | None = None

    def load(self) -> dict[str, Any] | None:
        """Return the newest usable state. Raises Stop (exit 4)."""
        try:
            state, problems = self._directory.load()
        except UnusableError as error:
            raise Stop(str(error), STATE_UNUSABLE) from error
        if state is not None and (before := self._directory.written_by) != (now := versions()):
            log.warning("the checkpoint was written with other versions of libraries", before=before, now=now)
        for problem in problems:
            log.error("damaged checkpoint skipped; an older one is used", problem=problem)
        # A crash may have come before older checkpoints were deleted.
        self._purge_older = state is not None and bool(state.pop("alone", False))
        return state

    @property
    def compaction(self) -> Compaction | None:
        """The running compaction, if there is one."""
        return self._compactor.running

    def age(self) -> float:
        """Return the seconds since the last good checkpoint, or since the start."""
        return self._clock() - self.last_good

    def mark_clean(self, live: dict[str, Any], loaded: dict[str, Any]) -> None:
        """Note that `live` is the state `loaded`: the next checkpoint holds what has changed since."""
        mark_clean(live, loaded)

    def due(self, events: int = 0) -> bool:
        """Return whether a checkpoint is due. events: learned since the last one was taken."""
        if self._running is not None:
            return False
        interval = min(self._interval, self._policy.retry_seconds) if self.problem else self._interval
        early = events >= self._policy.max_events and not self.problem
        return early or self._clock() - self._started >= interval

    def take(
        self,
        state: dict[str, Any],
        offsets: Offsets,
        safe: Callable[[], bool] = lambda: True,
        last: bool = False,
    ) -> None:
        """Copy the (live) state, or what has changed in it, and write that in the background.

        safe: called in the background before anything is written. It may wait. If it returns False, this checkpoint is
        not written. last: the stream has ended, so a whole copy that is needed to delete older ones delays nothing.
        """
        self._started = self._clock()
        begun = time.perf_counter()
        self._large = self._large or table_bytes(state) >= self._policy.whole_mb * 1e6
        cut, self._purge_older = self._purge_older, False
        purging, purged = cut or bool(self._cuts), self._compactor.made_whole
        increment = self._large and self._directory.newest is not None
        standalone = purging and (
            last or not increment or self._compactor.failures >= self._policy.max_failures
        )
        taken = snapshot(state | {"alone": purging}, increment and not standalone)
        copied = time.perf_counter() - begun

        def write() -> float | None:
            if not safe():
                return None
            begun = time.perf_counter()
            if standalone:
                self._compactor.end()
            elif purged is not None:
                self._directory.purge(purged.sequence)
            self._directory.save(taken, keep=1 if standalone else KEEP)
            give_back()
            return copied + time.perf_counter() - begun

        self._running = _Running(self._pool.submit(write), taken, dict(offsets), cut, standalone, purged)

    def purge_older(self) -> None:
        """Delete everything older than the next checkpoint, because older ones hold users who must be forgotten."""
        self._purge_older = True

    def poll(self, wait: bool = False) -> None:
        """Report a finished write.

        One that found no room sets `problem`. Raises Stop (exit 4) for any other failure.
        """
        self._compactor.collect(self._cuts)
        if self._running is None:
            return
        running = self._running
        if not (wait or running.future.done()):
            return
        self._running = None
        try:
            seconds = running.future.result()
        except OSError as error:
            running.taken.restore_dirty()
            self._purge_older |= running.cut
            if error.errno not in NO_ROOM:
                raise _unwritable(error.strerror) from error
            if self.problem is None:
                log.error("no room for a checkpoint: reading pauses until there is", error=error.strerror)
            self.problem = f"checkpoint cannot be written: {error.strerror}"
            self._failure = error.strerror
            return
        if seconds is None:
            running.taken.restore_dirty()
            self._purge_older |= running.cut
            return
        if self.problem is not None:
            log.info("checkpoint written again: reading goes on")
            self.problem = None
        running.taken.discard_dirty()
        self.last_good, self._offsets = self._clock(), running.offsets
        self._count_off(running)
        self._written(running.offsets, seconds)
        self._compactor.start_if_due(self._cuts, self._offsets)

    def _count_off(self, running: _Running) -> None:
        """Note what this checkpoint, now on disk, has deleted and what is still to be deleted."""
        if running.standalone:
            self._cuts = []
            self._compactor.reset()
        elif running.cut and self._directory.newest is not None:
            self._cuts.append(self._directory.newest)
        if running.purged is not None and not running.standalone:
            self._compactor.purged(running.purged)
            self._cuts = [cut for cut in self._cuts if cut > running.purged.sequence]
            self.erased = running.purged.offsets
        if not self._cuts:
            self.erased = running.offsets

    def finish(self) -> None:
        """Wait for the last write, at the end of the process. Raises Stop (exit 4) if it found no room."""
        self.poll(wait=True)
        if self.problem is not None:
            raise _unwritable(self._failure)

    def replace(self, state: dict[str, Any]) -> Path:
        """Write a standalone checkpoint, then delete all older ones. Return its folder. Raises Stop (exit 4)."""
        try:
            return self._directory.save(snapshot(state), keep=1)
        except OSError as error:
            raise _unwritable(error.strerror) from error

    def close(self) -> None:
        """Wait for a running write, stop a compaction, and unlock the directory."""
        self._pool.shutdown()
        self._compactor.end()
        self._lock.close()


def _unwritable(why: str | None) -> Stop:
    return Stop(
        f"checkpoint cannot be written ({why}); nothing was committed. Make room in the "
        "checkpoint directory and start again.",
        STATE_UNUSABLE,
    )
