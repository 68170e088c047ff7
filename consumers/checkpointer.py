"""When a checkpoint is taken, and the thread that writes it while the stream goes on."""

from __future__ import annotations

import errno
import fcntl
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

import structlog

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.source import Offsets
from models.checkpoint import KEEP, CheckpointDirectory, UnusableError, snapshot

log = structlog.get_logger()

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""A full disk, quota or file size limit: room can be made while the service waits."""
RETRY_SECONDS = 2.0


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
    ) -> None:
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
        self._pool = ThreadPoolExecutor(1, "checkpoint")
        self._running: tuple[Future[float], Offsets, bool] | None = None
        self.drops_older = False
        """Whether the next checkpoint will be the only one: those before it hold what must be forgotten."""
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

    def due(self) -> bool:
        interval = min(self._interval, RETRY_SECONDS) if self.problem else self._interval
        return self._running is None and self._clock() - self._started >= interval

    def take(self, state: dict[str, Any], offsets: Offsets) -> None:
        """Copies the state and writes it in the background."""
        self._started = self._clock()
        begun = time.perf_counter()
        alone, self.drops_older = self.drops_older, False
        taken = snapshot(state | {"alone": alone})

        def write() -> float:
            self._directory.save(taken, keep=1 if alone else KEEP)
            return time.perf_counter() - begun

        self._running = (self._pool.submit(write), dict(offsets), alone)

    def drop_older(self) -> None:
        """From the next checkpoint on, those before it are gone."""
        self.drops_older = True

    def poll(self, wait: bool = False) -> None:
        """Reports a finished write. One that found no room sets `problem`; Stop (exit 4) for any other failure."""
        if self._running is None:
            return
        future, offsets, alone = self._running
        if not (wait or future.done()):
            return
        self._running = None
        try:
            seconds = future.result()
        except OSError as error:
            self.drops_older |= alone
            if error.errno not in NO_ROOM:
                raise _unwritable(error.strerror) from error
            if self.problem is None:
                log.error("no room for a checkpoint: reading pauses until there is", error=error.strerror)
            self.problem = f"checkpoint cannot be written: {error.strerror}"
            self._failure = error.strerror
            return
        if self.problem is not None:
            log.info("checkpoint written again: reading goes on")
            self.problem = None
        self.last_good = self._clock()
        self._written(offsets, seconds)

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
