"""When a checkpoint is taken, the thread that writes it while the stream goes on, and when it is compacted."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

import structlog

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.source import Offsets
from models.checkpoint import KEEP, CheckpointDirectory, UnusableError, snapshot
from models.memory import give_back
from models.snapshot import Snapshot, settle, table_bytes

log = structlog.get_logger()

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""A full disk, quota or file size limit: room can be made while the service waits."""
RETRY_SECONDS = 2.0
WHOLE_MB = 32.0
"""A state of smaller tables is copied whole every time: that takes a few milliseconds."""
INCREMENTS_LEAST, INCREMENTS_MOST = 16, 128
"""Increments are compacted once there are so many that are together larger than the whole state, or so many at all."""
EVENTS_MOST = 10_000
"""A checkpoint comes early after so many events: what they touched is copied while the stream waits."""


class Checkpointer:
    """Owns the checkpoint directory, locked against a second process. `written(offsets, seconds)` is called by
    `poll`, on the caller's thread, once a checkpoint with those offsets is on disk.

    `problem` says why there is none while the disk is full. Nothing is committed then, `due` comes every 2 s, and
    the caller should read no further: what it learned could not be saved.
    """

    def __init__(
        self,
        path: Path,
        interval: float,
        written: Callable[[Offsets, float], None],
        clock: Callable[[], float] = time.monotonic,
        whole_mb: float = WHOLE_MB,
    ) -> None:
        """whole_mb: states of larger tables are written as increments, and made whole by another process."""
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(path / "LOCK")
            self._directory = CheckpointDirectory(path)  # clears leftovers, so only under the lock
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
        self._whole_bytes, self._large = whole_mb * 1e6, False
        self._compacting: subprocess.Popen[bytes] | None = None
        self._pool = ThreadPoolExecutor(1, "checkpoint")
        self._running: tuple[Future[float | None], Snapshot, Offsets, bool] | None = None
        self.drops_older = False
        """Whether the next checkpoint will be a whole one, and the only one: those before it hold what must be
        forgotten."""
        self.last_good = clock()
        self._started = clock()
        self.problem: str | None = None
        self._failure: str | None = None

    def load(self) -> dict[str, Any] | None:
        """The newest usable state. Raises Stop (exit 4)."""
        try:
            state, problems = self._directory.load()
        except UnusableError as error:
            raise Stop(str(error), STATE_UNUSABLE) from error
        for problem in problems:
            log.error("damaged checkpoint passed over; an older one is used", problem=problem)
        # A crash may have come between writing one that is to be alone and removing those before it.
        self.drops_older = state is not None and bool(state.pop("alone", False))
        return state

    def age(self) -> float:
        """Seconds since the last good checkpoint (or the start)."""
        return self._clock() - self.last_good

    def settled(self, live: dict[str, Any], loaded: dict[str, Any]) -> None:
        """`live` is what `load` gave, taken up: the next checkpoint is what has changed since."""
        settle(live, loaded)

    def due(self, events: int = 0) -> bool:
        """events: learned since the last one was taken."""
        if self._running is not None:
            return False
        interval = min(self._interval, RETRY_SECONDS) if self.problem else self._interval
        early = events >= EVENTS_MOST and not self.problem
        return early or self._clock() - self._started >= interval

    def take(self, state: dict[str, Any], offsets: Offsets, safe: Callable[[], bool] = lambda: True) -> None:
        """Copies the (live) state, or what has changed of it, and writes that in the background.

        safe: asked there before anything is written, and may wait; False: there will be no such checkpoint.
        """
        self._started = self._clock()
        begun = time.perf_counter()
        self._large = self._large or table_bytes(state) >= self._whole_bytes
        alone, self.drops_older = self.drops_older, False
        increment = self._large and not alone and self._directory.newest is not None
        taken = snapshot(state | {"alone": alone}, increment)

        copied = time.perf_counter() - begun

        def write() -> float | None:
            if not safe():
                return None
            begun = time.perf_counter()
            if alone:
                self._end_compaction()
            self._directory.save(taken, keep=1 if alone else KEEP)
            give_back()
            return copied + time.perf_counter() - begun

        self._running = (self._pool.submit(write), taken, dict(offsets), alone)

    def drop_older(self) -> None:
        """From the next checkpoint on, those before it are gone."""
        self.drops_older = True

    def poll(self, wait: bool = False) -> None:
        """Reports a finished write. One that found no room sets `problem`; Stop (exit 4) for any other failure."""
        if self._running is None:
            return
        future, taken, offsets, alone = self._running
        if not (wait or future.done()):
            return
        self._running = None
        try:
            seconds = future.result()
        except OSError as error:
            taken.lost()
            self.drops_older |= alone
            if error.errno not in NO_ROOM:
                raise _unwritable(error.strerror) from error
            if self.problem is None:
                log.error("no room for a checkpoint: reading pauses until there is", error=error.strerror)
            self.problem = f"checkpoint cannot be written: {error.strerror}"
            self._failure = error.strerror
            return
        if seconds is None:
            taken.lost()
            self.drops_older |= alone
            return
        if self.problem is not None:
            log.info("checkpoint written again: reading goes on")
            self.problem = None
        taken.saved()
        self.last_good = self._clock()
        self._written(offsets, seconds)
        self._compact_if_due()

    def _compact_if_due(self) -> None:
        if self._compacting is not None:
            code = self._compacting.poll()
            if code is None:
                return
            self._compacting = None
            if code:
                log.warning("checkpoints could not be compacted; increments go on", code=code)
        grown = self._directory.growth()
        many = grown.increments >= INCREMENTS_LEAST and grown.bytes > grown.whole
        if many or grown.increments >= INCREMENTS_MOST:
            line = [
                sys.executable,
                "-m",
                "models.compact",
                str(self._directory.path),
                str(self._directory.newest),
            ]
            self._compacting = subprocess.Popen(  # noqa: S603  our own
                line,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is not for it
            )

    def _end_compaction(self) -> None:
        """Ends a running one and removes what it wrote so far: it holds a state of before."""
        compacting, self._compacting = self._compacting, None
        if compacting is not None:
            compacting.kill()
            compacting.wait()
        self._directory.clear()

    def finish(self) -> None:
        """At the end of the process: waits for the last write. Raises Stop (exit 4) if it found no room."""
        self.poll(wait=True)
        if self.problem is not None:
            raise _unwritable(self._failure)

    def replace(self, state: dict[str, Any]) -> Path:
        """Writes a checkpoint that owes nothing to the ones before it, which go once it is on disk. Gives its folder.

        Raises Stop (exit 4).
        """
        try:
            return self._directory.save(snapshot(state), keep=1)
        except OSError as error:
            raise _unwritable(error.strerror) from error

    def close(self) -> None:
        self._pool.shutdown()
        self._end_compaction()
        self._lock.close()


def _unwritable(why: str | None) -> Stop:
    return Stop(
        f"checkpoint cannot be written ({why}); nothing was committed. Make room in the "
        "checkpoint directory and start again.",
        STATE_UNUSABLE,
    )


def _locked(path: Path) -> TextIO:
    """Raises BlockingIOError if another process holds it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file
