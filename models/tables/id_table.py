"""Ids to table rows and back: fixed capacity, least-recently-seen eviction."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import Touched
from models.state.tracked_tables import Live, Order, Rows


class IdTable(Live):
    """Maps ids to rows 0 … capacity-1. `touch` creates and refreshes, `get` never does; `id_of` maps back.

    The dict's order is the order of last sight, so the first key is the one to evict; a plain dict would look for it
    past all places that were given up. `written` marks rows for all tables that have one row an id: whoever touches an
    id may write to its row.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self.evictions = 0
        self.id_of: list[str] = []
        """By row; empty for a free one."""
        self._rows: OrderedDict[str, int] = OrderedDict()
        self._free: list[int] = []
        self._seen, self.written = Touched(), Touched()
        self._number: Callable[[str], int] | None = None
        self._numbers = np.zeros(0, np.int64)
        self._numbered = Touched()

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
        return len(self.id_of)

    def seen(self, key: str) -> int | None:
        """Return the row of `key`, made the most recently seen; None without one."""
        row = self._rows.pop(key, None)
        if row is not None:
            # `move_to_end` would not do: it leaves the order of the plain dict, which `ids` reads, as it was.
            self._rows[key] = row
            self._seen.add(key, row)
            self.written.add(row)
        return row

    def touch(self, key: str) -> tuple[int, str | None]:
        """Return the row of `key`, made the most recently seen, and the id that had to go for it (or None)."""
        row = self.seen(key)
        if row is not None:
            return row, None
        evicted: str | None = None
        if self._free:
            row = self._free.pop()
        elif len(self._rows) < self.capacity:
            row = len(self._rows)
            self.id_of.append("")
        else:
            evicted = next(iter(self._rows))
            row = self._rows.pop(evicted)
            self.evictions += 1
            self._seen.drop(evicted)
            self.written.drop(row)
        self._name(row, key)
        self._rows[key] = row
        self._seen.add(key, row)
        self.written.add(row)
        return row, evicted

    def _name(self, row: int, key: str) -> None:
        self.id_of[row] = key
        if self._number is not None:
            self._numbers[row] = self._number(key) if key else 0
            self._numbered.add(row)

    def discard(self, key: str) -> int | None:
        """Frees the row of `key` and returns it, or None if there was none."""
        row = self._rows.pop(key, None)
        if row is not None:
            self._free.append(row)
            self._name(row, "")
            self._seen.drop(key)
            self.written.drop(row)
        return row

    def evict(self) -> tuple[str, int]:
        """Frees the row of the least recently seen id; gives both. Raises StopIteration on an empty table."""
        key = next(iter(self._rows))
        row = self.discard(key)
        assert row is not None
        self.evictions += 1
        return key, row

    # Ids by a number of theirs

    def index_by(self, number: Callable[[str], int], known: NDArray[np.int64] | None = None) -> None:
        """Keeps `number(id)`, 64 bits, of every id from now on, for `numbered`: 8 bytes a row.

        known: what `live_numbers` gave for the ids that are here. Without it each is computed now.
        """
        self._number, self._numbers = number, np.zeros(self.capacity, np.int64)  # zeros take no memory yet
        self._numbered.everything()
        if known is not None and len(known) == self.high_water:
            self._numbers[: len(known)] = known
        else:
            for row, key in enumerate(self.id_of):
                self._name(row, key)

    def numbered(self, numbers: Collection[int]) -> list[str]:
        """The ids with one of these numbers, by row. One pass over the numbers of all: 1 ms a million rows."""
        held = self._numbers[: self.high_water]
        rows = np.flatnonzero(np.isin(held, np.fromiter(numbers, np.int64, len(numbers))))
        return [self.id_of[row] for row in rows.tolist() if self.id_of[row]]

    def live_numbers(self) -> Rows:
        """The numbers by row, for a state."""
        return Rows(self._numbered, self._numbers[: self.high_water])

    def live(self) -> Order:
        return Order(self._seen, self._rows, self._free)

    def load(self, state: dict[str, Any]) -> None:
        """Numbers are those of the ids before: whoever asks for them calls `index_by` again."""
        self._rows = OrderedDict(zip(state["ids"], state["rows"], strict=True))
        self._free = list(state["free"])
        self.id_of = [""] * (len(self._rows) + len(self._free))
        for key, row in self._rows.items():
            self.id_of[row] = key
        self.capacity = max(self.capacity, self.high_water)  # rows that were given out stay what they are
        self._seen.everything()
        self.written.everything()
