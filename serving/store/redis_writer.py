"""Writes to Redis off the learning thread: newest value per key, pipelines of plain commands, bounded retry."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import redis

from serving.contract import Write
from serving.store.connection import STORE_ERRORS
from serving.store.marked_store import MarkedStore, wrong_type
from serving.store.store_info import masters
from serving.store.store_mark import Known
from serving.worker import Worker

CHUNK = 500
PING_SECONDS = 1.0
HEALTHY_SECONDS = 3.0
BIRTHS_LIMIT = 200_000
"""Events whose freshness is measured, among those that wait: the store may be away for hours."""


class Publisher:
    """A thread that empties a backlog of writes.

    Called on this thread: `on_written(write, now_ms)` for each acknowledged write; `on_answer(client)` about every
    second while the store answers; `on_replaced(key)` where a key of ours held a value of another type.
    `store_lost` is set when the store answers but does not hold all that it acknowledged: emptied, replaced, or older.
    """

    def __init__(
        self,
        client: redis.Redis,
        meta_key: str,
        started_ts: int,
        on_written: Callable[[Write, float], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
        on_replaced: Callable[[str], None] = lambda _key: None,
        on_answer: Callable[[redis.Redis], None] = lambda _client: None,
    ) -> None:
        self.client = self._client = client
        self._store = MarkedStore(client, meta_key, started_ts, on_replaced)
        self._on_written = on_written
        self._on_error = on_error
        self._on_replaced = on_replaced
        self._on_answer = on_answer
        self._lock = threading.Lock()
        self._work = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._stopping = False
        self._backlog: dict[str, Write] = {}
        self._births = 0
        self._refusal: str | None = None
        self._last_answer = 0.0
        self._asked = 0.0
        self._acknowledged: deque[tuple[int, list[str]]] = deque()
        self.store_lost = self._store.mark.lost
        self._thread = Worker("publisher", self._run)

    def start(self, known: Known | None = None) -> None:
        """Raises redis.RedisError if the store does not answer now.

        `known`: the `store()` of the process before this one. A store that holds another, or less, is a lost one.
        """
        self._store.begin(known)
        self._last_answer = time.monotonic()
        self._thread.start()

    def submit(self, writes: Iterable[Write]) -> None:
        """Queues writes; a newer value replaces an unsent older one of the same key.

        Memory is bounded by the number of keys and `BIRTHS_LIMIT`; past that, freshness of new events goes unmeasured.
        """
        with self._lock:
            for new in writes:
                fits = self._births + len(new.born_ms) <= BIRTHS_LIMIT
                write = new if fits else new._replace(born_ms=(), domains=())
                self._births += len(write.born_ms)
                older = self._backlog.pop(write.key, None)
                self._backlog[write.key] = write.superseding(older) if older else write
            if self._backlog:
                self._idle.clear()
                self._work.set()

    def store(self) -> Known | None:
        """By what the store is known again; None before anything was written."""
        return self._store.mark.known()

    def take_loss(self) -> int | None:
        """None if the store holds all that it acknowledged. Else it may lack what has a larger mark; with 0, all."""
        return self._store.mark.take_loss()

    def acknowledged(self) -> Iterator[tuple[int, list[str]]]:
        """Marks, and the keys acknowledged with each, since the last time. One other thread asks."""
        while self._acknowledged:
            yield self._acknowledged.popleft()

    def backlog(self) -> int:
        """Keys whose latest value the store has not acknowledged."""
        return len(self._backlog)

    def unconfirmed(self) -> list[str]:
        with self._lock:
            return list(self._backlog)

    def unconfirmed_among(self, keys: Iterable[str]) -> set[str]:
        """Those of these keys whose latest value the store has not acknowledged."""
        with self._lock:
            return {key for key in keys if key in self._backlog}

    def healthy(self) -> bool:
        """The store answered in the last 3 s."""
        return time.monotonic() - self._last_answer < HEALTHY_SECONDS

    def problem(self) -> str | None:
        """Why nothing can be published now; None if all is well."""
        if not self.healthy():
            return f"the store has not answered for {HEALTHY_SECONDS:.0f} s"
        return self._refusal and f"the store refuses writes: {self._refusal}"

    def flush(self, timeout: float) -> bool:
        """Waits until the backlog is written; False after `timeout` seconds, or at once where nobody writes."""
        return self._idle.wait(timeout if self._thread.is_alive() else 0.0)

    def check(self) -> None:
        """Raises ThreadFailed if an exception that nobody foresaw has ended the thread."""
        self._thread.check()

    def close(self, timeout: float = 5.0) -> bool:
        """Writes what it can within `timeout` seconds, then ends the thread; True if nothing is left."""
        done = self.flush(timeout)
        self._stopping = True
        self._work.set()
        if self._thread.is_alive():
            self._thread.join(3.0)
        self._client.close()
        return done

    def _run(self) -> None:
        delay = 0.05
        while not self._stopping:
            try:
                wrote = self._write_some()
                if time.monotonic() - self._asked > PING_SECONDS:
                    self._ask()
                delay = 0.05
                if not wrote:
                    self._work.wait(PING_SECONDS / 2)
            except STORE_ERRORS as error:
                if self._on_error:
                    self._on_error(error)
                time.sleep(delay)
                delay = min(2 * delay, 1.0)

    def _write_some(self) -> bool:
        with self._lock:
            chunk = list(self._backlog.values())[:CHUNK]
            if not chunk:
                self._work.clear()
                self._idle.set()
                return False
        number, errors = self._store.write(chunk)
        self._last_answer = time.monotonic()
        now_ms = time.time() * 1000.0
        outcome = list(zip(chunk, errors, strict=True))
        self._replace([write for write, error in outcome if wrong_type(error)])
        written = [write for write, error in outcome if error is None]
        self._confirm(written)
        self._acknowledged.append((number, [write.key for write in written]))
        for write in written:
            if self._on_written:
                self._on_written(write, now_ms)
        refused = [(write, error) for write, error in outcome if error is not None and not wrong_type(error)]
        if not refused:
            self._refusal = None
            return True
        self._move_to_end([write for write, _ in refused])
        error = refused[0][1]
        self._refusal = f"{type(error).__name__}: {str(error)[:120]}"
        if isinstance(error, redis.exceptions.ReadOnlyError):
            self._refusal += "".join(f" It is a replica of {master}." for master in masters(self._client)[:1])
        raise error

    def _replace(self, writes: list[Write]) -> None:
        """A key of ours that holds a value of another type gives way with the next try."""
        with self._lock:
            for write in writes:
                self._backlog[write.key] = self._backlog[write.key]._replace(fresh=True)
        for write in writes:
            self._on_replaced(write.key)

    def _move_to_end(self, refused: list[Write]) -> None:
        """What the store refused is tried again after everything else, so that it holds up nothing."""
        with self._lock:
            for write in refused:
                if self._backlog.get(write.key) is write:
                    self._backlog[write.key] = self._backlog.pop(write.key)

    def _confirm(self, written: list[Write]) -> None:
        with self._lock:
            for write in written:
                self._births -= len(write.born_ms)
                current = self._backlog.get(write.key)
                if current is write:
                    del self._backlog[write.key]
                elif current is not None:  # replaced meanwhile: these events are readable already
                    self._backlog[write.key] = current._replace(
                        born_ms=current.born_ms[len(write.born_ms) :],
                        domains=current.domains[len(write.domains) :],
                    )

    def _ask(self) -> None:
        """A sign of life, and whether the store holds what it acknowledged."""
        self._store.ask()
        self._asked = self._last_answer = time.monotonic()
        self._on_answer(self._client)
