"""Ids to table rows: fixed capacity, least-recently-seen eviction."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Any

from models.changes import Live, Order
from models.touched import Touched


class IdTable(Live):
    """Maps ids to rows 0 … capacity-1. `touch` creates and refreshes, `get` never does.

    The dict's order is the order of last sight, so the first key is the one to evict; a plain dict would look for it
    past all places that were given up. `written` marks rows for all tables that have one row an id: whoever touches an
    id may write to its row.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self.evictions = 0
        self._rows: OrderedDict[str, int] = OrderedDict()
        self._free: list[int] = []
        self._seen, self.written = Touched(), Touched()

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def get(self, key: str) -> int | None:
        """The row of `key`, or None; changes nothing."""
        return self._rows.get(key)

    def items(self) -> Iterable[tuple[str, int]]:
        return self._rows.items()

    def ids(self) -> list[str]:
        """All ids, the most recently seen last. Ten times as fast as iterating: the order is the plain dict's too."""
        return list(dict.keys(self._rows))

    @property
    def high_water(self) -> int:
        """One past the largest row ever given out: arrays need this many rows."""
        return len(self._rows) + len(self._free)

    def touch(self, key: str) -> tuple[int, str | None]:
        """The row of `key`, made the most recently seen, and the id that had to go for it (or None)."""
        row = self._rows.pop(key, None)
        evicted: str | None = None
        if row is None:
            if self._free:
                row = self._free.pop()
            elif len(self._rows) < self.capacity:
                row = len(self._rows)
            else:
                evicted = next(iter(self._rows))
                row = self._rows.pop(evicted)
                self.evictions += 1
                self._seen.drop(evicted)
                self.written.drop(row)
        self._rows[key] = row
        self._seen.add(key, row)
        self.written.add(row)
        return row, evicted

    def discard(self, key: str) -> int | None:
        """Frees the row of `key` and returns it, or None if there was none."""
        row = self._rows.pop(key, None)
        if row is not None:
            self._free.append(row)
            self._seen.drop(key)
            self.written.drop(row)
        return row

    def live(self) -> Order:
        return Order(self._seen, self._rows, self._free)

    def load(self, state: dict[str, Any]) -> None:
        self._rows = OrderedDict(zip(state["ids"], state["rows"], strict=True))
        self._free = list(state["free"])
        self._seen.everything()
        self.written.everything()
