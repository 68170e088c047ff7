"""Find which users of a set have keys in the store or in waiting writes, by one scan on its own thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import structlog

from serving.contract import Keys
from serving.store.errors import STORE_ERRORS
from serving.store.store import Store
from serving.worker import Worker

log = structlog.get_logger()


class UserKeyScan:
    """Begins at once; `found` is complete when `done()`, unless `failure` says why it is not."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        mark: Callable[[str], str],
        wanted: frozenset[str],
        backlog: Iterable[str] = (),
    ) -> None:
        """Look for users whose `mark` is wanted. backlog: keys not acknowledged when the scan begins."""
        self.wanted = wanted
        self.found: dict[str, list[str]] = {}
        """Keys by user."""
        self.failure: str | None = None
        self._store, self._keys, self._mark, self._backlog = store, keys, mark, backlog
        self._thread = Worker("key-scan", self._run)
        self._thread.start()

    def done(self) -> bool:
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            waiting = ((self._keys.owner(key), key) for key in self._backlog)
            for user, key in chain(waiting, _owned(self._store, self._keys)):
                if user is not None and self._mark(user) in self.wanted:
                    self.found.setdefault(user, []).append(key)
        except Exception as error:  # after any error: half a search must not count as a whole one
            self.failure = type(error).__name__
            if not isinstance(error, STORE_ERRORS):
                log.error("the search of the store failed", exc_info=error)


def _owned(store: Store, keys: Keys) -> Iterator[tuple[str, str]]:
    """Yield every key of a user, with the user; some may come twice. Raises redis.RedisError."""
    for key in store.scan(keys.pattern("[ru]*:{*")):
        user = keys.owner(key)
        if user is not None:
            yield user, key
