"""Store the weights of a bias model: (weight, variance) pairs in an array, by name."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import Named
from models.tables.catalogue import grown

Cell = NDArray[np.float64]
"""(2,): a weight and its variance, a view into a table. A variance of 0 marks a weight that was never used."""
WEIGHT, VARIANCE = 0, 1


class Cells(Protocol):
    """A table of cells by the names of features."""

    def find(self, name: Any) -> Cell | None:
        """Return the cell of a used weight, or None."""

    def claim(self, name: Any) -> Cell:
        """Return the cell to write to, and mark it. Raises KeyError for an id without a row."""

    def mark(self, name: Any) -> None:
        """Mark a used cell as written."""

    def forget(self, name: Any) -> None:
        """Empty the cell if it is used."""

    def names(self) -> list[Any]:
        """Return the names of all used weights."""

    def live(self) -> Any:
        """Return what `load` takes."""

    def load(self, state: dict[str, Any]) -> None:
        """Replace every cell."""


class NamedCells:
    """Cells by name. Each name has a slot, and slots of forgotten names are used again."""

    def __init__(self) -> None:
        self.written = DirtyKeys()
        """Dirty names."""
        self.slots: dict[Any, int] = {}
        self.free: list[int] = []
        self.values = np.zeros((0, 2))

    def find(self, name: Any) -> Cell | None:
        """Return the cell of a used weight, or None."""
        slot = self.slots.get(name)
        return None if slot is None else self.values[slot]

    def slot(self, name: Any) -> int:
        """Return the slot of a name that is about to be learned, and mark it. A new name takes a new slot."""
        slot = self.slots.get(name)
        if slot is None:
            slot = self.free.pop() if self.free else len(self.slots)
            self.slots[name] = slot
            self.values = grown(self.values, slot + 1)
        self.written.add(name)
        return slot

    def claim(self, name: Any) -> Cell:
        """Return the cell to write to, and mark it."""
        slot = self.slot(name)  # before `values` is read, because it may replace the table
        cell: Cell = self.values[slot]
        return cell

    def mark(self, name: Any) -> None:
        """Mark a used cell as written."""
        self.written.add(name)

    def forget(self, name: Any) -> None:
        """Empty the cell if it is used."""
        slot = self.slots.pop(name, None)
        if slot is not None:
            self.values[slot] = 0.0
            self.free.append(slot)
            self.written.drop(name)

    def names(self) -> list[Any]:
        """Return the names of all used weights."""
        return list(self.slots)

    def live(self) -> Named:
        """Return what `load` takes."""
        return Named(self.written, self.names, self._columns)

    def _columns(self, names: list[Any]) -> dict[str, NDArray[np.float64]]:
        cells = self.values[[self.slots[name] for name in names]]
        return {"weights": cells[:, WEIGHT].copy(), "variances": cells[:, VARIANCE].copy()}

    def load(self, state: dict[str, Any]) -> None:
        """Replace every cell."""
        self.slots = {name: slot for slot, name in enumerate(state["names"])}
        self.free = []
        self.values = np.stack([state["weights"], state["variances"]], 1)
        self.written.everything()
