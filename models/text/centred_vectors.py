"""Item vectors as directions: less the domain's mean, at unit length, so that a dot product is a cosine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.text.inverted_lists import VectorIndex
from models.text.nearest import Lists


class Directions:
    """units: (rows, dim) float32, zero without a vector.

    The mean is frozen between refreshes; one comes when a quarter as many vectors have changed as there were at the
    last. So a catalogue of n items costs O(n) rows of work in all, and a re-encoded one is re-centred. The `index`
    comes into use at a refresh with more than `exact_items` directions.
    """

    def __init__(self, dim: int, exact_items: int = 200_000) -> None:
        self.index = VectorIndex(dim, exact_items)
        self.units = np.zeros((0, dim), np.float32)
        self.mean = np.zeros(dim, np.float32)
        self.changes = 0
        self.settled = 1

    def lists(self, size: int) -> Lists:
        """Return what a kernel searches. size: how many rows exist."""
        return self.index.lists(self.units, size)

    def grow(self, rows: int) -> None:
        """Room for so many rows, the new ones without a vector."""
        if rows > len(self.units):
            new = np.zeros((rows - len(self.units), self.units.shape[1]), np.float32)
            self.units = np.concatenate([self.units, new])

    def changed(self, row: int, vectors: NDArray[np.float32], known: NDArray[np.bool_]) -> None:
        """The vector of `row` is new or gone. vectors, known: those of all rows."""
        self.changes += 1
        if self.changes >= self.settled and known.any():
            self.mean = vectors[known].mean(0, dtype=np.float64).astype(np.float32)
            self.changes, self.settled = 0, max(1, int(known.sum()) // 4)
            self.refresh(vectors, known)
            self.index.all_changed(self.units)
        else:
            self.units[row] = self._unit(vectors[row : row + 1], known[row : row + 1])[0]
            self.index.changed(np.array([row]))

    def refresh(self, vectors: NDArray[np.float32], known: NDArray[np.bool_]) -> None:
        """Recomputes every direction from the vectors and the mean."""
        self.units = self._unit(vectors, known)

    def _unit(self, vectors: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
        centred = np.where(known[:, None], vectors - self.mean, np.float32(0))
        length = np.sqrt((centred * centred).sum(1, keepdims=True))
        unit: NDArray[np.float32] = centred / np.maximum(length, np.float32(1e-9))
        return unit

    def state(self) -> dict[str, Any]:
        counts = {"changes": self.changes, "settled": self.settled}
        return {"mean": self.mean.copy(), **counts, "index": self.index.state()}

    def load(self, state: dict[str, Any], vectors: NDArray[np.float32], known: NDArray[np.bool_]) -> None:
        self.mean = state["mean"].copy()
        self.changes, self.settled = int(state["changes"]), int(state["settled"])
        self.refresh(vectors, known)
        self.index.load(state["index"], self.units)
