"""Measure how unevenly items are shown: the Gini coefficient of their recent shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CELLS = 65_536
"""Cells of a domain, 512 KB. With more items than that, some share a cell, and the coefficient is a little low."""
HALF_LIFE = 86_400.0
"""Seconds after which a show counts half."""
LEAST_SHOWS = 10_000
"""The least number of shows that count for a coefficient: with few, most items have had no turn yet."""
_LARGEST = 500.0
"""Half-lives after which all counts are scaled down, so that none overflows."""


def gini(counts: NDArray[np.float64], items: int) -> float:
    """Return the Gini coefficient of counts, (n,): 0 if all items have the same, near 1 if one has all.

    items: their number; those without a count have 0.

        G = 2 Σ_i i x_i / (n Σ x) - (n + 1) / n,   x ascending, i from 1.

    >>> round(gini(np.array([1.0, 3.0]), 2), 4), round(gini(np.array([1.0]), 4), 4)
    (0.25, 0.75)
    """
    n, total = max(items, len(counts)), float(counts.sum())
    if total <= 0:
        return 0.0
    place = np.arange(n - len(counts) + 1, n + 1)
    return 2 * float((place * np.sort(counts)).sum()) / (n * total) - (n + 1) / n


class RecentShows:
    """Decayed counts of shows by item. They are no part of the state: they begin anew with the process."""

    def __init__(self) -> None:
        self._counts = np.zeros(CELLS)
        self._begin: float | None = None
        self._newest = 0.0

    def add(self, items: NDArray[np.int64], time: float) -> None:
        """Count shows of items, (n,) hashes, at a time in seconds."""
        if self._begin is None:
            self._begin = time
        age = (time - self._begin) / HALF_LIFE
        if age > _LARGEST:
            self._counts *= 0.5**age
            self._begin, age = time, 0.0
        self._newest = max(self._newest, time)
        np.add.at(self._counts, items & (CELLS - 1), 2.0 ** max(age, -_LARGEST))

    def gini(self, items: int) -> float | None:
        """Return the coefficient among so many items; None while there are too few shows."""
        filled = self._counts[self._counts > 0]
        if self._begin is None or filled.sum() < LEAST_SHOWS * 2.0 ** (
            (self._newest - self._begin) / HALF_LIFE
        ):
            return None
        return gini(filled, items)
