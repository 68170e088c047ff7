"""Watch a publisher on a real store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis

from serving.contract import Keys, Write, hash_write
from serving.store.publisher import Listeners, Publisher
from serving.store.redis_store import open_store

PATIENCE = 20.0


KEYS = Keys("cc")


STARTED = 1_700_000_000_000


def eventually(what: Callable[[], Any]) -> Any:
    """Return the first truthy value. Fails after `PATIENCE` seconds."""
    deadline = time.monotonic() + PATIENCE
    while not (value := what()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


def text(key: str, value: bytes, ttl: int | None = 100, born: tuple[int, ...] = ()) -> Write:
    return Write(key, "set", value, ttl, born, ("d",) * len(born))


def meta() -> Write:
    return hash_write(KEYS.meta, {"started_ts": STARTED, "schema": 1})


class Watched:
    """A started publisher, its reports, and another client."""

    def __init__(self, url: str) -> None:
        self.written: list[Write] = []
        self.errors: list[Exception] = []
        self.replaced: list[str] = []
        self.answers: list[object] = []
        listeners = Listeners(
            lambda write, _ms: self.written.append(write),
            self.errors.append,
            self.replaced.append,
            self.answers.append,
        )
        self.publisher = Publisher(open_store(url, 0.5), KEYS.meta, STARTED, listeners)
        self.client = redis.Redis.from_url(url)

    def close(self) -> None:
        self.publisher.close(0.0)
        self.client.close()

    def publish(self, *writes: Write) -> None:
        self.publisher.submit(writes)
        assert self.publisher.flush(PATIENCE)
