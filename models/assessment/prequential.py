"""Measure the prequential error: each event is predicted before it is learned (Dawid, 1984; Gama et al., 2013)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel

HALF_LIFE = 1000.0
FADE = 0.5 ** (1.0 / HALF_LIFE)


COUNT, TOTAL, FADING_WEIGHT, FADING_TOTAL = range(4)
"""Columns of the sums of a mean: number and total of all values, then weight and total of the fading mean."""
Floats = NDArray[np.float64]


@kernel
def fold_values(sums: NDArray[Any], rows: NDArray[Any], values: NDArray[Any]) -> None:
    """Add values (n,), the latest last, to the means of their rows, (n,) of sums (rows, 4); nan is left out."""
    for n in range(len(rows)):
        if not np.isnan(values[n]):
            one = sums[rows[n]]
            one[COUNT] += 1.0
            one[TOTAL] += values[n]
            one[FADING_WEIGHT] = one[FADING_WEIGHT] * FADE + 1.0
            one[FADING_TOTAL] = one[FADING_TOTAL] * FADE + values[n]


RMSE = "rmse"
NDCG_LOSS = "ndcg_loss"
"""Metric: 1 − NDCG@10 of the chosen item among all that could have been recommended; 0 is perfect."""


NDCG = (1.0, 0.63092975, 0.5, 0.43067656, 0.38685281, 0.35620719, 0.33333333, 0.31546488, 0.30103, 0.28906483)
"""NDCG@10 of one relevant item at each of the first ten ranks: 1 / log2(rank + 2)."""
GAINS = np.append(NDCG, 0.0)


def ndcg_losses(rank: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return 1 - NDCG@10 of ranks (n,), 0 the best; nan where the rank is negative: not ranked.

    >>> ndcg_losses(np.array([0, 2, 10, -1])).tolist()  # 1 / log2(2 + 2) = 0.5
    [0.0, 0.5, 1.0, nan]
    """
    loss: NDArray[np.float64] = np.where(rank >= 0, 1.0 - GAINS[np.minimum(rank, len(GAINS) - 1)], np.nan)
    return loss


Measured = tuple[str, str, str]
"""Domain, metric and arm."""


class Prequential:
    """Errors by domain, metric and arm: means over all events, and fading ones whose weight halves every `HALF_LIFE`.

    Squared errors go in for `rmse`; `error` takes the root.
    """

    def __init__(self) -> None:
        self.keys: list[Measured] = []
        """Domain, metric and arm of each row."""
        self._rows: dict[Measured, int] = {}
        self._grids: dict[tuple[tuple[str, ...], str, tuple[str, ...]], NDArray[np.int64]] = {}
        self._sums = np.zeros((0, 4))

    def row(self, domain: str, metric: str, arm: str) -> int:
        """Return the row of this domain, metric and arm for `add`."""
        key = domain, metric, arm
        if key not in self._rows:
            self._rows[key] = len(self.keys)
            self.keys.append(key)
            self._sums = np.concatenate([self._sums, np.zeros((1, 4))])
        return self._rows[key]

    def rows(self, domains: tuple[str, ...], metric: str, arms: tuple[str, ...]) -> NDArray[np.int64]:
        """Return `row` of each domain and arm, (domains, arms)."""
        key = domains, metric, arms
        if key not in self._grids:
            self._grids[key] = np.array([[self.row(name, metric, arm) for arm in arms] for name in domains])
        return self._grids[key]

    def add(self, rows: NDArray[np.int64], values: Floats) -> None:
        """Count losses, (n,), the latest last; nan is none. rows: (n,) of `row`."""
        fold_values(self._sums, rows, values)

    def measured(self) -> list[Measured]:
        """Return domain, metric and arm of every error there is."""
        return [key for key, row in self._rows.items() if self._sums[row, COUNT]]

    def _mean(self, domain: str, metric: str, arm: str) -> Floats | None:
        row = self._rows.get((domain, metric, arm))
        return None if row is None or not self._sums[row, COUNT] else self._sums[row]

    def count(self, domain: str, metric: str, arm: str) -> int:
        """Return the number of events."""
        mean = self._mean(domain, metric, arm)
        return 0 if mean is None else int(mean[COUNT])

    def error(self, domain: str, metric: str, arm: str, overall: bool = False) -> float | None:
        """Return the fading error (of all events with `overall`), None before the first event."""
        mean = self._mean(domain, metric, arm)
        if mean is None:
            return None
        above, below = (TOTAL, COUNT) if overall else (FADING_TOTAL, FADING_WEIGHT)
        value = float(mean[above] / mean[below])
        return value**0.5 if metric == RMSE else value

    def gain(self, domain: str, metric: str, overall: bool = False) -> float | None:
        """Return what transfer brings: error of the target-only arm minus error of the full one."""
        full = self.error(domain, metric, "full", overall)
        target_only = self.error(domain, metric, "target_only", overall)
        return None if full is None or target_only is None else target_only - full

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        state = {}
        for key in self.measured():
            count, *rest = self._sums[self._rows[key]].tolist()
            state["\t".join(key)] = [int(count), *rest]
        return state

    def load(self, state: dict[str, Any]) -> None:
        """Load a state. Rows that were given out stay valid."""
        self._sums[:] = 0.0
        for key, values in state.items():
            domain, metric, arm = key.split("\t")
            row = self.row(domain, metric, arm)
            self._sums[row] = values
