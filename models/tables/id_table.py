"""Map ids to table rows and back, with a fixed capacity and eviction of the id seen longest ago."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import Checkpointed, Order, Rows

LEAST, SHARE = 64, 64
"""How many of the rows seen longest ago are found at once: 64, or a 64th of a large table."""


class IdTable(Checkpointed):
    """Rows 0 … capacity-1 of ids. `touch` creates and refreshes a row, `get` only reads, `id_of` maps back.

    Each row has the number of the sight at which its id was last seen, and the id with the lowest is evicted. Those are
    searched for many at once. An OrderedDict would take 60 bytes more an id. `written` marks the dirty rows of all
    tables with one row an id, because code that touches an id may write to its row.

    >>> table = IdTable(capacity=2)
    >>> table.touch("a"), table.touch("b"), table.touch("a")
    ((0, None), (1, None), (0, None))
    >>> table.touch("c")  # `b` was seen longest ago
    (1, 'b')
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self.capacity = capacity
        self.evictions = 0
        self.id_of: list[str] = []
        """The id of each row, empty for a free row."""
        self._rows: dict[str, int] = {}
        self._sight = array("q")
        """By row; 0 for a free row."""
        self._sights = 0
        self._oldest: list[tuple[int, int]] = []
        """Rows that were once seen longest ago, and their sights then, the oldest last."""
        self._free: list[int] = []
        self._seen, self.written = DirtyKeys(), DirtyKeys()
        self._number: Callable[[str], int] | None = None
        self._numbers = np.zeros(0, np.int64)
        self._numbered = DirtyKeys()

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids())

    def get(self, key: str) -> int | None:
        """Return the row of `key`, or None, and change nothing."""
        return self._rows.get(key)

    def rows_of(self, keys: Iterable[str]) -> Iterable[int]:
        """Return the row of each key, -1 for none, and change nothing."""
        return map(self._rows.get, keys, repeat(-1))

    def items(self) -> Iterable[tuple[str, int]]:
        """Return every id with its row, the most recently seen last."""
        return [(self.id_of[row], row) for row in self._by_sight()]

    def ids(self) -> list[str]:
        """Return all ids, the most recently seen last."""
        return [self.id_of[row] for row in self._by_sight()]

    def _by_sight(self) -> list[int]:
        """Return the rows in use, the most recently seen last."""
        order: list[int] = np.argsort(np.frombuffer(self._sight, np.int64), kind="stable").tolist()
        return order[len(order) - len(self._rows) :]

    @property
    def high_water(self) -> int:
        """The number of rows ever given out, which arrays by row must have."""
        return len(self.id_of)

    def seen(self, key: str) -> int | None:
        """Return the row of `key`, or None, and make `key` the most recently seen id."""
        row = self._rows.get(key)
        if row is not None:
            self._see(key, row)
        return row

    def see_all(self, keys: Sequence[str]) -> bool:
        """Make keys the most recently seen ids, one after the other, if all have a row. Return whether they have."""
        rows = list(map(self._rows.get, keys))
        if None in rows:
            return False
        held = np.array(rows, np.int64)
        first = self._sights + 1
        # Of a key that is there twice, the later number is the larger one.
        np.maximum.at(np.frombuffer(self._sight, np.int64), held, np.arange(first, first + len(held)))
        self._sights += len(held)
        self._seen.update(dict(zip(keys, rows, strict=True)))
        self.written.update(rows)
        return True

    def _see(self, key: str, row: int) -> None:
        self._sights += 1
        self._sight[row] = self._sights
        self._seen.add(key, row)
        self.written.add(row)

    def touch(self, key: str) -> tuple[int, str | None]:
        """Return the row of `key`, a new one if it has none, and the id that was evicted for it, or None.

        `key` becomes the most recently seen id.
        """
        row = self.seen(key)
        if row is not None:
            return row, None
        evicted: str | None = None
        if self._free:
            row = self._free.pop()
        elif len(self._rows) < self.capacity:
            row = len(self._rows)
            self.id_of.append("")
            self._sight.append(0)
        else:
            evicted = self._seen_longest_ago()
            row = self._rows.pop(evicted)
            self.evictions += 1
            self._seen.drop(evicted)
            self.written.drop(row)
        self._name(row, key)
        self._rows[key] = row
        self._see(key, row)
        return row, evicted

    def _seen_longest_ago(self) -> str:
        """Return the id that was seen longest ago, which is evicted then. Raises StopIteration for an empty table."""
        if not self._rows:
            raise StopIteration
        while True:
            while self._oldest:
                row, sight = self._oldest.pop()
                if self._sight[row] == sight:
                    return self.id_of[row]
            self._find_oldest()

    def _find_oldest(self) -> None:
        """Note the rows that were seen longest ago. All others were seen later, and so is whatever is seen again."""
        sights = np.frombuffer(self._sight, np.int64)
        free = len(sights) - len(self._rows)
        last = min(free + max(LEAST, len(self._rows) // SHARE), len(sights)) - 1
        rows = np.argpartition(sights, last)[: last + 1]
        rows = rows[np.argsort(sights[rows])][free:][::-1]
        self._oldest = list(zip(rows.tolist(), sights[rows].tolist(), strict=True))

    def _name(self, row: int, key: str) -> None:
        self.id_of[row] = key
        if self._number is not None:
            self._numbers[row] = self._number(key) if key else 0
            self._numbered.add(row)

    def discard(self, key: str) -> int | None:
        """Free the row of `key`. Return it, or None if there was none."""
        row = self._rows.pop(key, None)
        if row is not None:
            self._free.append(row)
            self._sight[row] = 0
            self._name(row, "")
            self._seen.drop(key)
            self.written.drop(row)
        return row

    def evict(self) -> tuple[str, int]:
        """Free the row of the least recently seen id, and return both. Raises StopIteration for an empty table."""
        key = self._seen_longest_ago()
        row = self.discard(key)
        assert row is not None
        self.evictions += 1
        return key, row

    # Ids by number

    def index_by(self, number: Callable[[str], int], known: NDArray[np.int64] | None = None) -> None:
        """Keep `number(id)`, 64 bits, of every id from now on, so that `numbered` finds it. It takes 8 bytes a row.

        known: of `live_numbers`, for the present ids. Without it each number is computed now.
        """
        self._number, self._numbers = number, np.zeros(self.capacity, np.int64)  # zeros take no memory yet
        self._numbered.everything()
        if known is not None and len(known) == self.high_water:
            self._numbers[: len(known)] = known
        else:
            for row, key in enumerate(self.id_of):
                self._name(row, key)

    def numbered(self, numbers: Collection[int]) -> list[str]:
        """Return the ids with one of these numbers, by row. This scans all numbers, 1 ms for a million rows."""
        held = self._numbers[: self.high_water]
        rows = np.flatnonzero(np.isin(held, np.fromiter(numbers, np.int64, len(numbers))))
        return [self.id_of[row] for row in rows.tolist() if self.id_of[row]]

    def live_numbers(self) -> Rows:
        """Return the numbers by row, for a state."""
        return Rows(self._numbered, self._numbers[: self.high_water])

    def live(self) -> Order:
        """Return what `load` takes."""
        return Order(self._seen, self._free, self.items, self._in_order)

    def _in_order(self, ids: Collection[str]) -> list[str]:
        return sorted(ids, key=lambda key: self._sight[self._rows[key]])

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state. Call `index_by` again afterwards, because the numbers are still those of the earlier ids."""
        self._rows = dict(zip(state["ids"], state["rows"], strict=True))
        self._free = list(state["free"])
        self.id_of = [""] * (len(self._rows) + len(self._free))
        self._sight, self._oldest, self._sights = array("q", bytes(8 * len(self.id_of))), [], len(self._rows)
        for sight, (key, row) in enumerate(self._rows.items(), 1):
            self.id_of[row], self._sight[row] = key, sight
        self.capacity = max(self.capacity, self.high_water)  # rows that were given out stay
        self._seen.everything()
        self.written.everything()
