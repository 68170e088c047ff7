"""Which items the same users go on to: a bounded list of neighbours an item, inside a domain and across."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.catalogue import grown

NEIGHBOURS = 64


class CoVisitation:
    """Directed co-visit counts from the items of one domain to those of another (or the same).

    ids: (rows, 64) int32, the neighbours of an item, -1 where free; weights: (rows, 64) float32, their
    counts. A full list gives the place of its weakest neighbour away (SpaceSaving without the inherited
    count, so that rare pairs are not overrated; Metwally et al., ICDT 2005).
    """

    def __init__(self) -> None:
        self.ids = np.zeros((0, NEIGHBOURS), np.int32)
        self.weights = np.zeros((0, NEIGHBOURS), np.float32)

    def _grow(self, rows: int) -> None:
        old = len(self.ids)
        if rows > old:
            self.ids, self.weights = grown(self.ids, rows), grown(self.weights, rows)
            self.ids[old:] = -1

    def add_to(self, rows: NDArray[np.int64], other: int, weights: NDArray[np.float32]) -> None:
        """Counts `other` as neighbour of each of the (distinct) `rows`."""
        if not len(rows):
            return
        self._grow(int(rows.max()) + 1)
        hit = self.ids[rows] == other
        known = hit.any(1)
        # the weakest place is a free one as long as there is one: weights of free places are zero
        place = np.where(known, hit.argmax(1), self.weights[rows].argmin(1))
        self.ids[rows, place] = other
        self.weights[rows, place] = np.where(known, self.weights[rows, place], 0) + weights

    def add_from(self, row: int, others: NDArray[np.int64], weights: NDArray[np.float32]) -> None:
        """Counts each of the (distinct) `others` as neighbour of `row`."""
        if not len(others):
            return
        self._grow(row + 1)
        ids, held = self.ids[row], self.weights[row]
        hit = ids == others[:, None]
        known = hit.any(1)
        held[hit.argmax(1)[known]] += weights[known]
        new, fresh = others[~known][:NEIGHBOURS], weights[~known][:NEIGHBOURS]
        place = np.argsort(held, kind="stable")[: len(new)]
        ids[place], held[place] = new, fresh

    def spread(self, rows: NDArray[np.int64], weights: NDArray[np.float64], size: int) -> NDArray[np.float64]:
        """(size,): `Σ_j weights_j count(j → i)` for every item i."""
        held = rows < len(self.ids)
        rows, weights = rows[held], weights[held]
        ids, counts = self.ids[rows], self.weights[rows] * weights[:, None]
        used = ids >= 0
        total: NDArray[np.float64] = np.zeros(size)
        if used.any():
            total += np.bincount(ids[used], counts[used], minlength=size)
        return total

    def drop_from(self, row: int) -> None:
        """The row stands for another item of the first domain from now on."""
        if row < len(self.ids):
            self.ids[row], self.weights[row] = -1, 0.0

    def drop_to(self, row: int) -> None:
        """The row stands for another item of the second domain from now on."""
        gone = self.ids == row
        self.ids[gone], self.weights[gone] = -1, 0.0

    def state(self) -> dict[str, Any]:
        return {"ids": self.ids.copy(), "weights": self.weights.copy()}

    def load(self, state: dict[str, Any]) -> None:
        self.ids, self.weights = state["ids"].copy(), state["weights"].copy()
