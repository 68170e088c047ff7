"""Keep item vectors as directions: minus the domain's mean, at unit length, so that dot products are cosines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.text.inverted_lists import VectorIndex
from models.text.nearest import Lists


class Directions:
    """Directions of a domain's items. units: (rows, dim) float32; a row without a vector is zero.

    The mean is fixed between refreshes. A refresh comes when a quarter as many vectors have changed as there were at
    the last one. So a catalogue of n items costs O(n) rows of work in all, and a re-encoded catalogue is centred
    again. A refresh with more than `exact_items` directions puts the `index` into use.

    The mean of 1 and 5 is 3:

    >>> directions, vectors = Directions(dim=1), np.array([[1], [5]], np.float32)
    >>> directions.grow(2)
    >>> for row in range(2):
    ...     directions.changed(np.array([row]), vectors, np.array([True, row > 0]))
    >>> print(directions.units)
    [[-1.]
     [ 1.]]
    """

    def __init__(self, dim: int, exact_items: int = 200_000) -> None:
        self.index = VectorIndex(dim, exact_items)
        self.units = np.zeros((0, dim), np.float32)
        self.mean = np.zeros(dim, np.float32)
        self.changes = 0
        self.settled = 1

    def lists(self, size: int) -> Lists:
        """Return what a kernel searches. size: number of rows."""
        return self.index.lists(self.units, size)

    def grow(self, rows: int) -> None:
        """Make room for this many rows. New rows have no vector."""
        if rows > len(self.units):
            new = np.zeros((rows - len(self.units), self.units.shape[1]), np.float32)
            self.units = np.concatenate([self.units, new])

    @property
    def most(self) -> int:
        """The most rows of one `changed`: a refresh comes after the last of them."""
        return max(1, self.settled - self.changes)

    def changed(
        self, rows: NDArray[np.int64], vectors: NDArray[np.float32], known: NDArray[np.bool_]
    ) -> None:
        """Note that the vectors of distinct rows, (n,), are new or removed.

        vectors: (rows, dim) and known: (rows,), of all rows, of which no later one is written yet. However many rows
        come at once, the directions are those that they would have one by one.
        """
        self.changes += len(rows)
        if self.changes >= self.settled and known.any():
            self.mean = vectors[known].mean(0, dtype=np.float64).astype(np.float32)
            self.changes, self.settled = 0, max(1, int(known.sum()) // 4)
            self.refresh(vectors, known)
            self.index.changed(rows[:-1])
            self.index.all_changed(self.units)
        else:
            self.units[rows] = self._unit(vectors[rows], known[rows])
            self.index.changed(rows)

    def refresh(self, vectors: NDArray[np.float32], known: NDArray[np.bool_]) -> None:
        """Compute every direction again. vectors: (rows, dim). known: (rows,) whether a row has a vector."""
        self.units = self._unit(vectors, known)

    def _unit(self, vectors: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
        centred = np.where(known[:, None], vectors - self.mean, np.float32(0))
        length = np.sqrt((centred * centred).sum(1, keepdims=True))
        unit: NDArray[np.float32] = centred / np.maximum(length, np.float32(1e-9))
        return unit

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        counts = {"changes": self.changes, "settled": self.settled}
        return {"mean": self.mean.copy(), **counts, "index": self.index.state()}

    def load(self, state: dict[str, Any], vectors: NDArray[np.float32], known: NDArray[np.bool_]) -> None:
        """Load a state."""
        self.mean = state["mean"].copy()
        self.changes, self.settled = int(state["changes"]), int(state["settled"])
        self.refresh(vectors, known)
        self.index.load(state["index"], self.units)
