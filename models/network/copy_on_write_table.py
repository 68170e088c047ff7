"""Keep a second version of a table of rows: it holds the changed rows and reads the others from the first version."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from models.network.embedding_table import Array, Index, ItemRows, RowTable
from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import Checkpointed, Rows
from models.tables.catalogue import grown


class CopyOnWriteTable(Checkpointed):
    """The rows of `base` as they were when this version began, and its own steps since.

    A full copy of a large table would hold the stream up. So `base` copies each row here before it takes a step on it.
    `put` and `reset` of the base apply to both versions.
    """

    def __init__(self, base: RowTable) -> None:
        self._base, self.dim = base, base.dim
        self._place = np.zeros(base.capacity, np.int32)  # by row: 1 + its place here; 0: it is base's
        self._row = np.zeros(0, np.int64)  # by place
        self._written = DirtyKeys()
        self._own = RowTable(base.capacity, base.dim, base.rate, self._written)
        self._used = 0
        base.attach(self)

    def detach(self) -> None:
        """Detach this version from `base`, which then copies no more rows."""
        self._base.detach()

    @property
    def held(self) -> Index:
        """(n,) row numbers of `base` that this version holds, in the order of their copies."""
        return self._row[: self._used]

    def _places(self, index: Index) -> Index:
        """Return the places of row numbers, (n,); -1 for a row that only `base` holds, and for -1."""
        return np.where(index >= 0, self._place[index], 0).astype(np.int64) - 1

    def rows(self, index: Index) -> Array:
        """Return (n, dim) for row numbers (n,); see `RowTable.rows`."""
        out, places = self._base.rows(index), self._places(index)
        here = places >= 0
        out[here] = self._own.values[places[here]]
        return out

    def copy_before_write(self, index: Index) -> None:
        """Copy these distinct rows, (n,), unless this version holds them already."""
        new = index[self._place[index] == 0]
        if not len(new):
            return
        places = np.arange(self._used, self._used + len(new))
        self._used += len(new)
        self._own.reserve(self._used)
        self._row = grown(self._row, self._used)
        self._own.replace(places, self._base.values[new], self._base.sums[new])
        self._row[places], self._place[new] = new, places + 1

    def descend(self, index: Index, gradient: Tensor | None, scale: float = 1.0) -> None:
        """Take one Adagrad step on distinct rows, (n,); see `RowTable.descend`."""
        if gradient is not None:
            self.copy_before_write(index[index >= 0])
            self._own.descend(self._places(index), gradient, scale)

    def put(self, row: int, values: Array) -> None:
        """Begin a row with `values`, if this version holds it; see `RowTable.put`."""
        if self._place[row]:
            self._own.put(int(self._place[row]) - 1, values)

    def reset(self, row: int) -> None:
        """Set a row to zero, if this version holds it; see `RowTable.reset`."""
        if row < len(self._place) and self._place[row]:
            self._own.reset(int(self._place[row]) - 1)

    def take_over(self) -> None:
        """Write this version's rows into `base`."""
        self._base.replace(self.held, self._own.values[: self._used], self._own.sums[: self._used])

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {"used": self._used, "row": Rows(self._written, self._row), "own": self._own.live()}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self._used, self._row = int(state["used"]), state["row"].copy()
        self._own.load(state["own"])
        self._place[:] = 0
        self._place[self.held] = np.arange(1, self._used + 1)


class CopyOnWriteItems:
    """A second version of the items' rows. `base` decides which item has which row."""

    def __init__(self, base: ItemRows) -> None:
        self._base = base
        self.table = CopyOnWriteTable(base.table)

    def find(self, domain: int, rows: Index) -> Index:
        """Return table rows, (n,), of catalogue rows; see `ItemRows.find`."""
        return self._base.find(domain, rows)
