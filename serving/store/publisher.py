"""Write to the store on another thread than learning: the newest value of each key, in pipelines, with retries."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import redis

from serving.contract import Write
from serving.store.backlog import Backlog
from serving.store.errors import STORE_ERRORS, behaviour, refusal, wrong_type
from serving.store.marked_store import MarkedStore
from serving.store.store import Store
from serving.store.store_info import masters
from serving.store.store_mark import Known
from serving.worker import Worker

CHUNK = 500
PROBE_SECONDS = 1.0
HEALTHY_SECONDS = 3.0


class Listeners(NamedTuple):
    """Functions that the publisher calls, on its thread."""

    written: Callable[[Write, float], object] = lambda _write, _now_ms: None
    """Gets each acknowledged write, and the time (Unix time in ms)."""
    failed: Callable[[Exception], object] = lambda _error: None
    """Gets each error. `serving.store.errors.behaviour` says what happens to the write."""
    replaced: Callable[[str], object] = lambda _key: None
    """Gets each key of ours that held a value of another type."""
    answered: Callable[[Store], object] = lambda _store: None
    """Gets the store, about every second while it answers."""


class Publisher:
    """Writes a backlog to the store, on its own thread.

    `store_lost` is set when the store answers but does not hold all that it acknowledged: emptied, replaced, or older.
    """

    def __init__(
        self, store: Store, meta_key: str, started_ts: int, listeners: Listeners | None = None
    ) -> None:
        self.store = store
        self.waiting = Backlog()
        self._listeners = listeners or Listeners()
        self._marked = MarkedStore(store, meta_key, started_ts, self._listeners.replaced)
        self._work = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._lock = threading.Lock()
        """Guards the two events that say whether anything waits."""
        self._stopping = False
        self._refusal: str | None = None
        self._failure: Exception | None = None
        """The latest error; None once the store has answered a probe."""
        self._last_answer = self._probed = 0.0
        self._acknowledged: deque[tuple[int, list[str]]] = deque()
        self.store_lost = self._marked.mark.lost
        self._thread = Worker("publisher", self._run)

    def start(self, known: Known | None = None) -> None:
        """Start the thread. Raises redis.RedisError if the store does not answer now.

        `known`: the `known_store()` of the process before this one. If the store is another one or holds less, it has
        lost writes.
        """
        self._marked.begin(known)
        self._last_answer = time.monotonic()
        self._thread.start()

    def submit(self, writes: Iterable[Write]) -> None:
        """Queue writes; see `Backlog.add`."""
        with self._lock:
            self.waiting.add(writes)
            if len(self.waiting):
                self._idle.clear()
                self._work.set()

    def known_store(self) -> Known | None:
        """Return how to recognise the store at the next start; None before anything was written."""
        return self._marked.mark.known()

    def take_loss(self) -> int | None:
        """Return None if the store holds everything that it acknowledged.

        Else return a mark: the store may lack writes with a larger mark; with 0, all writes.
        """
        return self._marked.mark.take_loss()

    def acknowledged(self) -> Iterator[tuple[int, list[str]]]:
        """Yield marks, and the keys acknowledged with each, since the last time. One other thread asks."""
        while self._acknowledged:
            yield self._acknowledged.popleft()

    def backlog(self) -> int:
        """Return the number of keys whose latest value the store has not acknowledged."""
        return len(self.waiting)

    def unconfirmed(self) -> list[str]:
        """Return the keys whose latest value the store has not acknowledged."""
        return self.waiting.keys()

    def unconfirmed_among(self, keys: Iterable[str]) -> set[str]:
        """Return those of these keys whose latest value the store has not acknowledged."""
        return self.waiting.among(keys)

    def healthy(self) -> bool:
        """Return whether the store answered in the last 3 s."""
        return time.monotonic() - self._last_answer < HEALTHY_SECONDS

    def problem(self) -> str | None:
        """Return why nothing can be published now; None if it can."""
        if not self.healthy():
            seconds = time.monotonic() - self._last_answer
            if (why := refusal(self._failure)) is not None:
                return f"{why} (for {seconds:.0f} s)"
            return f"the store has not answered for {seconds:.0f} s"
        return self._refusal and f"the store refuses writes: {self._refusal}"

    def flush(self, timeout: float) -> bool:
        """Wait until the backlog is written; False after `timeout` seconds, or at once if no thread writes."""
        return self._idle.wait(timeout if self._thread.is_alive() else 0.0)

    def check(self) -> None:
        """Raise ThreadFailed if an unforeseen exception has ended the thread."""
        self._thread.check()

    def close(self, timeout: float = 5.0) -> bool:
        """Write what can be written within `timeout` seconds, then end the thread; True if nothing is left."""
        done = self.flush(timeout)
        self._stopping = True
        self._work.set()
        if self._thread.is_alive():
            self._thread.join(3.0)
        self.store.close()
        return done

    def _run(self) -> None:
        delay = 0.05
        while not self._stopping:
            try:
                wrote = self._write_some()
                if time.monotonic() - self._probed > PROBE_SECONDS:
                    self._probe()
                delay = 0.05
                if not wrote:
                    self._work.wait(PROBE_SECONDS / 2)
            except STORE_ERRORS as error:
                self._failure = error
                self._listeners.failed(error)
                time.sleep(delay)
                delay = min(2 * delay, 1.0)

    def _write_some(self) -> bool:
        chunk = self._next_chunk()
        if not chunk:
            return False
        number, errors = self._marked.write(chunk)
        self._last_answer = time.monotonic()
        now_ms = time.time() * 1000.0
        outcome = list(zip(chunk, errors, strict=True))
        self._replace([write for write, error in outcome if wrong_type(error)])
        written = [write for write, error in outcome if error is None]
        self.waiting.confirm(written)
        self._acknowledged.append((number, [write.key for write in written]))
        for write in written:
            self._listeners.written(write, now_ms)
        self._refused([(w, error) for w, error in outcome if error is not None and not wrong_type(error)])
        return True

    def _next_chunk(self) -> list[Write]:
        with self._lock:
            chunk = self.waiting.first(CHUNK)
            if not chunk:
                self._work.clear()
                self._idle.set()
            return chunk

    def _replace(self, writes: list[Write]) -> None:
        """Let the next try replace keys of ours that hold a value of another type."""
        self.waiting.replace_whole(writes)
        for write in writes:
            self._listeners.replaced(write.key)

    def _refused(self, outcome: list[tuple[Write, Exception]]) -> None:
        """Leave out writes that can never succeed. Raise the first error of writes that are tried again."""
        hopeless = [(write, error) for write, error in outcome if behaviour(error) == "leave_out"]
        self.waiting.confirm(write for write, _ in hopeless)
        for _, error in hopeless:
            self._listeners.failed(error)
        refused = [(write, error) for write, error in outcome if behaviour(error) != "leave_out"]
        if not refused:
            self._refusal = None
            return
        self.waiting.move_to_end(write for write, _ in refused)
        error = refused[0][1]
        self._refusal = f"{type(error).__name__}: {str(error)[:120]}"
        if isinstance(error, redis.exceptions.ReadOnlyError):
            self._refusal += "".join(f" It is a replica of {master}." for master in masters(self.store)[:1])
        raise error

    def _probe(self) -> None:
        """Check that the store answers, and that it holds what it acknowledged."""
        self._marked.probe()
        self._probed = self._last_answer = time.monotonic()
        self._failure = None
        self._listeners.answered(self.store)
