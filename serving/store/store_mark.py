"""Marks in the store that grow with every chunk of writes: a mark that is smaller than it was tells of lost writes.

One server takes a chunk's commands in their order, and so do its snapshot, its log and its replicas. So a store that
comes back with the mark of a chunk holds that chunk and all before it, and may lack all after it.

The mark is the field `written` of `cc:meta`. In a cluster each primary may lose writes by itself, so each has a mark of
its own, in a key `cc:meta:{tag}` with the tag of that part of the store (`Store.parts`).

With a loss `started_ts` changes, too. Else a process that is killed before it has published everything again would
leave a store with a large mark: the checkpoint from before the loss would take it for whole.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

FIELD = "written"

Known = dict[str, Any]
"""{"started_ts": of the process that wrote, "marks": {key: number}}: by what a store is known again."""
UNKNOWN: Known = {"started_ts": 0, "marks": {}}
"""What may be missing in the store is not published yet: whoever starts from there publishes everything."""


def as_known(stored: Any) -> Known | None:
    """What a checkpoint holds of the store. Before there were marks it was `started_ts` alone."""
    return {"started_ts": stored, "marks": {}} if isinstance(stored, int) else stored


class StoreMark:
    """What the store must hold, compared with what it holds; `lost` is set where it holds less.

    One thread compares and writes; another may take the loss, and ask by what the store is known.
    """

    def __init__(self, meta_key: str, started_ts: int) -> None:
        self._meta_key = meta_key
        self.started_ts = started_ts
        self._lock = threading.Lock()
        self._number = 0
        self._first = 0
        """Where this process began: which rows were written before with which mark it does not know."""
        self._least: dict[str, int] = {}
        """The mark that each place must hold at least."""
        self._predecessor: int | None = None
        self._lineage = {started_ts}
        """Every `started_ts` that a store of ours may come back with."""
        self._introduced = False
        """Whether the store holds `started_ts`, as far as we know."""
        self._since = 0
        self.lost = threading.Event()

    def begin(self, known: Known | None, started: int | None, held: Mapping[str, int]) -> None:
        """known: what `known` gave to the process before this one, None at the first start; the store's own
        `started` and `held` are compared with it."""
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
        """The mark of the chunk that is sent next; another for each attempt."""
        self._number += 1
        return self._number

    def compare(self, started: int | None, held: Mapping[str, int]) -> bool:
        """held: the marks of some places, 0 where there is none. False: the store holds less than it acknowledged, and
        is from now on known by another `started_ts`."""
        before = self.started_ts
        if self._introduced and started != before:  # older, if it is of ours; else emptied or replaced
            self._lose(held.get(self._meta_key, 0) if started in self._lineage else 0)
        for place, mark in held.items():
            if mark < self._least.get(place, 0):
                self._lose(mark)
                with self._lock:
                    self._least[place] = mark
        return self.started_ts == before

    def wrote(self, number: int, places: Iterable[str], introduced: bool) -> None:
        """The store has acknowledged these marks; introduced: and our `cc:meta`."""
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
        """None if nothing is lost. Else what was acknowledged with a larger mark may be; with 0 all of it."""
        with self._lock:
            if not self.lost.is_set():
                return None
            self.lost.clear()
            return self._since

    def known(self) -> Known | None:
        """By what the store is known again; None before anything was written."""
        with self._lock:
            if self.lost.is_set():
                return UNKNOWN
            started = self.started_ts if self._introduced else self._predecessor
            return None if started is None else {"started_ts": started, "marks": dict(self._least)}
