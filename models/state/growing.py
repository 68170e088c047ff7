"""Keep arrays by row that grow together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 64


def room(rows: int, held: int, least: int = LEAST) -> int:
    """Return how many rows a table of `held` rows gets that needs `rows`: an eighth more than it has, at least.

    Doubling would copy a row less often, and leave half of the memory empty.

    >>> room(65, 64), room(1_001, 1_000)
    (72, 1125)
    """
    return max(rows, held + held // 8, least)


class Growing:
    """Named arrays with one row an id. `reserve` makes room; a new row holds the array's fill value.

    >>> table = Growing(count=((), 0), mean=((2,), -1.0))
    >>> table.reserve(3)
    >>> table.arrays["mean"].shape, float(table.arrays["mean"][2, 1])
    ((64, 2), -1.0)
    """

    def __init__(self, **columns: tuple[tuple[int, ...], Any]) -> None:
        """columns: by name, the shape of a row and its fill value, whose type the array gets."""
        self._fill = {name: fill for name, (_, fill) in columns.items()}
        self.arrays: dict[str, NDArray[Any]] = {
            name: np.full((0, *shape), fill) for name, (shape, fill) in columns.items()
        }
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def reserve(self, rows: int) -> None:
        """Make rows 0 … rows - 1 exist."""
        if rows <= self._rows:
            return
        size = self._rows = room(rows, self._rows)
        for name, array in self.arrays.items():
            fill = self._fill[name]
            shape = (size, *array.shape[1:])
            # zeros take no memory before they are written to
            bigger = np.zeros(shape, array.dtype) if fill == 0 else np.full(shape, fill, array.dtype)
            bigger[: len(array)] = array
            self.arrays[name] = bigger

    def load(self, **arrays: NDArray[Any]) -> None:
        """Load copies of these arrays, one for each name, equally long."""
        for name, array in arrays.items():
            self.arrays[name] = array.astype(self.arrays[name].dtype, copy=True)
            self._rows = len(array)
