"""Writes to Redis off the learning thread: newest value per key, pipelines of plain commands, bounded retry."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException
from redis.retry import Retry

from serving.records import Write
from serving.worker import Worker

CHUNK = 500
PING_SECONDS = 1.0
HEALTHY_SECONDS = 3.0
BIRTHS_LIMIT = 200_000
"""Events whose freshness is measured, among those that wait: the store may be away for hours."""


STORE_ERRORS = (redis.RedisError, RedisClusterException, OSError)
"""Everything that a store which is away, or refuses, may raise."""


def connect(url: str, timeout: float = 5.0, cluster: bool = False, **options: Any) -> redis.Redis:
    """A client that fails soon; the publisher's own loop does the retrying.

    `timeout`: seconds for an answer. A slow store still takes everything as long as it answers within it.
    `cluster`: the URL names one node of a Redis Cluster, which tells of the others. `options` go to redis-py:
    username, password, ssl_ca_certs, ssl_certfile, ssl_keyfile.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if not cluster:
        return redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=min(timeout, 2.0),
            retry=Retry(NoBackoff(), 0),
            **given,
        )
    nodes: Any = redis.RedisCluster.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, 2.0),
        retry=Retry(NoBackoff(), 1),
        **given,
    )
    client: redis.Redis = nodes  # for what is used here they are alike
    return client


def redacted(url: str) -> str:
    """The URL without its user, password and options (redis-py takes a password among them, too)."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    return scheme + separator + rest.rsplit("@", 1)[-1].partition("?")[0]


class Publisher:
    """A thread that empties a backlog of writes.

    `on_written(write, now_ms)` is called, on this thread, for each acknowledged write. `store_lost` is set when
    the store answers but no longer holds our `meta_key` with our `started_ts` (flushed or replaced).
    """

    def __init__(
        self,
        client: redis.Redis,
        meta_key: str,
        started_ts: int,
        on_written: Callable[[Write, float], None] | None = None,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        self.client = self._client = client
        self._meta_key = meta_key
        self._started_ts = str(started_ts).encode()
        self._on_written = on_written
        self._on_error = on_error
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
        self._meta_written = False
        self._known: int | None = None
        self.store_lost = threading.Event()
        self._thread = Worker("publisher", self._run)

    def start(self, known: int | None = None) -> None:
        """Raises redis.RedisError if the store does not answer now.

        `known`: the `store()` of the process before this one. A store that holds another is a lost one.
        """
        holds = self._client.hget(self._meta_key, "started_ts")
        self._known = known
        if known is not None and holds != str(known).encode():
            self.store_lost.set()
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

    def store(self) -> int | None:
        """`started_ts` by which the store is known again: ours once written, else our predecessor's."""
        return int(self._started_ts) if self._meta_written else self._known

    def backlog(self) -> int:
        """Keys whose latest value the store has not acknowledged."""
        return len(self._backlog)

    def unconfirmed(self) -> list[str]:
        with self._lock:
            return list(self._backlog)

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
        if any(write.key == self._meta_key for write in chunk):
            self._ask()  # before our own write hides that the store was emptied
        pipeline = self._client.pipeline(transaction=False)
        ends = []
        for write in chunk:
            _queue(pipeline, write)
            ends.append(len(pipeline))
        answers = pipeline.execute(raise_on_error=False)
        self._last_answer = time.monotonic()
        now_ms = time.time() * 1000.0
        errors = [_error(answers[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
        written = [write for write, error in zip(chunk, errors, strict=True) if error is None]
        self._confirm(written)
        for write in written:
            self._meta_written |= write.key == self._meta_key
            if self._on_written:
                self._on_written(write, now_ms)
        self._refusal = _refusal(errors)
        if refused := [write for write, error in zip(chunk, errors, strict=True) if error is not None]:
            self._move_to_end(refused)
            raise next(error for error in errors if error is not None)
        return True

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
        """A sign of life, and whether the store is still the one we wrote to."""
        holds = self._client.hget(self._meta_key, "started_ts")
        self._asked = self._last_answer = time.monotonic()
        if self._meta_written and holds != self._started_ts:
            self._meta_written, self._known = False, 0  # a checkpoint taken now must not know this store
            self.store_lost.set()


def _error(answers: list[Any]) -> Exception | None:
    """The first error among the answers to one write's commands."""
    return next((answer for answer in answers if isinstance(answer, Exception)), None)


def _refusal(errors: Sequence[Exception | None]) -> str | None:
    """Why the store takes no writes: read-only, full, no permission. A key of another type is its own matter."""
    for error in errors:
        if error is not None and not str(error).startswith("WRONGTYPE"):
            return f"{type(error).__name__}: {str(error)[:120]}"
    return None


def _queue(pipeline: Any, write: Write) -> None:
    if write.kind == "set":
        pipeline.set(write.key, write.value, ex=write.ttl_seconds)
    elif write.kind == "delete":
        pipeline.delete(write.key)
    else:
        if write.fresh:
            pipeline.delete(write.key)
        pipeline.hset(write.key, mapping=write.value)
        if write.ttl_seconds is not None:
            pipeline.expire(write.key, write.ttl_seconds)
