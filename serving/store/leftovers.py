"""Scan the store for keys of users and items: an older copy of a store holds keys that were deleted since."""

from __future__ import annotations

import queue
import threading

import redis

from serving.contract import Keys
from serving.store.errors import STORE_ERRORS
from serving.store.store import Store
from serving.worker import Worker

AGAIN_SECONDS = 10.0
WAITING = 4
"""Most batches of keys that wait to be taken. The scan goes on when one is taken."""
BATCH_KEYS = 1000


class Leftovers:
    """Scans the store on its own thread, once it is made. `done` when everything was taken.

    If the store is away, the scan tries again until it has searched everything.
    """

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store, self._keys = store, keys
        self._found: queue.Queue[list[str]] = queue.Queue(WAITING)
        self._closed = threading.Event()
        self._thread = Worker("leftovers", self._run, again=AGAIN_SECONDS)
        self._thread.start()

    def done(self) -> bool:
        return not self._thread.is_alive() and self._found.empty()

    def take(self) -> list[str]:
        """Return keys of lists and items found since the last time, some perhaps twice."""
        try:
            return self._found.get_nowait()
        except queue.Empty:
            return []

    def close(self) -> None:
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                return self._scan()
            except redis.exceptions.NoPermissionError:
                return None  # may not be looked for; lists expire by themselves
            except STORE_ERRORS:
                self._closed.wait(AGAIN_SECONDS)
        return None

    def _scan(self) -> None:
        batch: list[str] = []
        for key in self._store.scan(self._keys.pattern("[ris]*:*")):
            batch.append(key)
            if len(batch) == BATCH_KEYS:
                self._put(batch)
                batch = []
            if self._closed.is_set():
                return
        self._put(batch)

    def _put(self, batch: list[str]) -> None:
        while not self._closed.is_set():
            try:
                return self._found.put(batch, timeout=1.0)
            except queue.Full:
                continue
        return None
