"""Compute the experience of an item's users in plain numpy, one event at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MEMORY, PRIOR, LEAST = 0.97, 3.0, 0.1


class PlainExperience:
    """Moments of `x = log(1 + events)` by item, shrunk to the domain's."""

    def __init__(self, rows: int) -> None:
        self.moments = np.zeros((rows, 3))
        self.total = np.zeros(3)

    def add(self, row: int, events: int) -> None:
        x = np.log1p(events)
        self.total[:2] += 1.0, x
        self.total[2] += (x - self.total[1] / self.total[0]) ** 2
        mean, _ = self._shrunk(self.moments[row])
        self.moments[row] = MEMORY * self.moments[row] + (1.0, x, (x - mean) ** 2)

    def _shrunk(self, moments: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        n = max(self.total[0], 1.0)
        weight = moments[..., 0] + PRIOR
        mean = (moments[..., 1] + PRIOR * self.total[1] / n) / weight
        return mean, (moments[..., 2] + PRIOR * (self.total[2] / n + LEAST)) / weight

    def fit(self, events: int) -> NDArray[np.float64]:
        """Return (rows,): log density of a user with so many events under each item, up to a constant."""
        return log_density(self.moments, self.total, events)


def log_density(moments: NDArray[np.float64], total: NDArray[np.float64], events: int) -> NDArray[np.float64]:
    """Return `-½ ((x - μ)² / σ² + log σ²)` for rows of moments, (n, 3)."""
    plain = PlainExperience(len(moments))
    plain.moments, plain.total = moments, total
    mean, variance = plain._shrunk(moments)
    density: NDArray[np.float64] = -0.5 * ((np.log1p(events) - mean) ** 2 / variance + np.log(variance))
    return density
