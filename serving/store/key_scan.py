"""Which users of a set still have keys in the store, or on their way to it: one scan, on a thread of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import structlog

from serving.contract import Keys
from serving.store.connection import STORE_ERRORS
from serving.worker import Worker

log = structlog.get_logger()

SCAN_KEYS = 1000
"""What the store looks at between two answers: about a tenth of a millisecond of its time."""


class Sweep:
    """Begins at once; `found` is complete when `done()`, unless `failure` says why it is not."""

    def __init__(
        self,
        client: Any,
        keys: Keys,
        mark: Callable[[str], str],
        wanted: frozenset[str],
        backlog: Iterable[str] = (),
    ) -> None:
        """wanted: marks; backlog: keys that the store has not acknowledged when the scan begins."""
        self.wanted = wanted
        self.found: dict[str, list[str]] = {}
        """Keys by user."""
        self.failure: str | None = None
        self._client, self._keys, self._mark, self._backlog = client, keys, mark, backlog
        self._thread = Worker("sweep", self._run)
        self._thread.start()

    def done(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            waiting = ((self._keys.owner(key), key) for key in self._backlog)
            for user, key in chain(waiting, owned(self._client, self._keys)):
                if user is not None and self._mark(user) in self.wanted:
                    self.found.setdefault(user, []).append(key)
        except Exception as error:  # whatever it is: half a search must not count as a whole one
            self.failure = type(error).__name__
            if not isinstance(error, STORE_ERRORS):
                log.error("the search of the store failed", exc_info=error)


def owned(client: Any, keys: Keys) -> Iterator[tuple[str, str]]:
    """Every key of a user, with the user; some may come twice. Raises redis.RedisError."""
    pattern = re.sub(r"([\\*?\[\]])", r"\\\1", keys.prefix) + ":[ru]*:{*"
    for raw in client.scan_iter(pattern, count=SCAN_KEYS):
        key = raw.decode(errors="surrogateescape")
        user = keys.owner(key)
        if user is not None:
            yield user, key
