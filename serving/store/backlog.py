"""Keep writes that the store has not acknowledged: the newest value of each key, oldest key first."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from itertools import islice

from serving.contract import Write

TIMES_LIMIT = 200_000
"""Most waiting events whose freshness is measured: the store may be away for hours."""


class Backlog:
    """Writes that wait. Any thread may call it. Memory is bounded by the number of keys and by `TIMES_LIMIT`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._writes: dict[str, Write] = {}
        self._times = 0

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._writes)

    def add(self, writes: Iterable[Write]) -> None:
        """Queue writes; a newer value replaces an unsent older one of the same key.

        Above `TIMES_LIMIT`, freshness of new events is not measured.
        """
        with self._lock:
            for new in writes:
                fits = self._times + len(new.record_times_ms) <= TIMES_LIMIT
                write = new if fits else new._replace(record_times_ms=(), domains=())
                self._times += len(write.record_times_ms)
                older = self._writes.pop(write.key, None)
                self._writes[write.key] = write.superseding(older) if older else write

    def first(self, limit: int) -> list[Write]:
        """Return up to `limit` writes; they stay until they are confirmed."""
        with self._lock:
            return list(islice(self._writes.values(), limit))

    def keys(self) -> list[str]:
        with self._lock:
            return list(self._writes)

    def among(self, keys: Iterable[str]) -> set[str]:
        """Return which of these keys wait."""
        with self._lock:
            return {key for key in keys if key in self._writes}

    def confirm(self, written: Iterable[Write]) -> None:
        """Remove writes that are done. A newer value of the same key stays."""
        with self._lock:
            for write in written:
                self._times -= len(write.record_times_ms)
                current = self._writes.get(write.key)
                if current is write:
                    del self._writes[write.key]
                elif current is not None:  # replaced since: these events are readable already
                    self._writes[write.key] = current._replace(
                        record_times_ms=current.record_times_ms[len(write.record_times_ms) :],
                        domains=current.domains[len(write.domains) :],
                    )

    def replace_whole(self, writes: Iterable[Write]) -> None:
        """Let the next try delete these keys first: they hold values of another type."""
        with self._lock:
            for write in writes:
                self._writes[write.key] = self._writes[write.key]._replace(fresh=True)

    def move_to_end(self, refused: Iterable[Write]) -> None:
        """Try these again after everything else, so that they delay nothing."""
        with self._lock:
            for write in refused:
                if self._writes.get(write.key) is write:
                    self._writes[write.key] = self._writes.pop(write.key)
