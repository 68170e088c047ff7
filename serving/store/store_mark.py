"""Notice lost writes by a mark in the store. It grows with every chunk; a smaller one shows a loss.

A server carries out the commands of a chunk in order, and so do its snapshot, its log and its replicas. So a store
that comes back with the mark of a chunk holds that chunk and all before it. It may lack all after it.

The mark is the field `written` of `cc:meta`. In a cluster each primary may lose writes by itself, so each has a mark of
its own, in a key `cc:meta:{tag}` with the tag of that part of the store (`Store.parts`).

After a loss `started_ts` changes, too. Otherwise a process that is killed before it has published everything again
would leave a store with a large mark, and by the checkpoint from before the loss that store would seem complete.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

FIELD = "written"

Known = dict[str, Any]
"""How a store is recognised: {"started_ts": that of the process that wrote, "marks": {key: number}}."""
UNKNOWN: Known = {"started_ts": 0, "marks": {}}
"""Value in a checkpoint while the store may lack something: a start from it publishes everything."""


def as_known(stored: Any) -> Known | None:
    """Return what a checkpoint knows about the store. Early versions kept `started_ts` alone."""
    return {"started_ts": stored, "marks": {}} if isinstance(stored, int) else stored


class StoreMark:
    """Compares what the store must hold with what it holds. `lost` is set if it holds less.

    One thread compares and writes. Another may take the loss, and ask how the store is recognised.
    """

    def __init__(self, meta_key: str, started_ts: int) -> None:
        self._meta_key = meta_key
        self.started_ts = started_ts
        self._lock = threading.Lock()
        self._number = 0
        self._first = 0
        """The mark at which this process began. It does not know which rows earlier marks belong to."""
        self._least: dict[str, int] = {}
        """The least mark that each place must hold."""
        self._predecessor: int | None = None
        self._lineage = {started_ts}
        """Every `started_ts` that a store of ours may have when it comes back."""
        self._introduced = False
        """Whether the store holds `started_ts`, as far as we know."""
        self._since = 0
        self.lost = threading.Event()

    def begin(self, known: Known | None, started: int | None, held: Mapping[str, int]) -> None:
        """Compare the store's own `started` and `held` with what the process before this one knew.

        known: what its `known` returned; None at the first start.
        """
        expected: Mapping[str, int] = {} if known is None else known["marks"]
        self._number = self._first = max((0, *held.values(), *expected.values()))
        self._least = dict(expected)
        if known is not None:
            self._predecessor = known["started_ts"]
            if started is not None and started == self._predecessor:
                self._lineage.add(started)
            else:
                self._lose(0)
        self.compare(started, held)

    def next(self) -> int:
        """Return the mark of the next chunk; each attempt gets a new one."""
        self._number += 1
        return self._number

    def compare(self, started: int | None, held: Mapping[str, int]) -> bool:
        """Return whether the store holds all that it acknowledged. If not, it gets another `started_ts`.

        held: the marks of some places, 0 where there is none.
        """
        before = self.started_ts
        if self._introduced and started != before:  # ours: an older copy; else: emptied or replaced
            self._lose(held.get(self._meta_key, 0) if started in self._lineage else 0)
        for place, mark in held.items():
            if mark < self._least.get(place, 0):
                self._lose(mark)
                with self._lock:
                    self._least[place] = mark
        return self.started_ts == before

    def wrote(self, number: int, places: Iterable[str], introduced: bool) -> None:
        """Note that the store has acknowledged these marks. introduced: and our `cc:meta`."""
        with self._lock:
            self._least.update(dict.fromkeys(places, number))
            self._introduced = self._introduced or introduced

    def _lose(self, mark: int) -> None:
        with self._lock:
            since = mark if mark >= self._first else 0
            self._since = min(since, self._since) if self.lost.is_set() else since
            self.started_ts = max(self.started_ts + 1, int(time.time() * 1000))
            self._lineage.add(self.started_ts)
            self._introduced, self._predecessor = False, 0
            self.lost.set()

    def take_loss(self) -> int | None:
        """Return None if nothing is lost; else the mark above which acknowledged writes may be missing (0: all)."""
        with self._lock:
            if not self.lost.is_set():
                return None
            self.lost.clear()
            return self._since

    def known(self) -> Known | None:
        """Return how to recognise the store at the next start; None before anything was written."""
        with self._lock:
            if self.lost.is_set():
                return UNKNOWN
            started = self.started_ts if self._introduced else self._predecessor
            return None if started is None else {"started_ts": started, "marks": dict(self._least)}
