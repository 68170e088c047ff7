"""How far along in a domain users are when they come to an item: beginners' items and those of the experienced."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.signals.signal import Column, Query, Signal
from models.state.dirty_keys import Touched
from models.state.tracked_tables import LiveRows, Rows
from models.tables.catalogue import grown

MEMORY = 0.97
"""Weight that an item's earlier users keep at each new one (about the last 33 count)."""
PRIOR = 3.0
"""The domain's own mean and variance count as this many users of each item."""


class Stage(LiveRows):
    """Per item the running mean and variance of `x = log(1 + events of the user in the domain so far)`.

    The signal is the log density of the user's own x under the item's normal distribution, both moments
    shrunk to the domain's.
    """

    def __init__(self) -> None:
        self.written = Touched()
        """Item rows."""
        self.moments = np.zeros((0, 3))
        """(rows, 3): decayed weight, sum of x, sum of squared deviations."""
        self.total = np.zeros(3)
        """The same for the domain, not decayed."""

    def add(self, row: int, events: int) -> None:
        x = np.log1p(events)
        self.moments = grown(self.moments, row + 1)
        self.total[:2] += 1.0, x
        self.total[2] += (x - self.total[1] / self.total[0]) ** 2
        mean, _ = self._shrunk(self.moments[row])
        self.moments[row] = MEMORY * self.moments[row] + (1.0, x, (x - mean) ** 2)

    def _shrunk(self, moments: NDArray[np.float64]) -> tuple[Any, Any]:
        n, total, squares = self.total
        weight = moments[..., 0] + PRIOR
        mean = (moments[..., 1] + PRIOR * total / max(n, 1.0)) / weight
        return mean, (moments[..., 2] + PRIOR * (squares / max(n, 1.0) + 0.1)) / weight

    def fit(self, rows: NDArray[np.int64], events: int) -> NDArray[np.float64]:
        """(len(rows),): log density of the user's stage under each item, up to a constant."""
        moments = np.zeros((len(rows), 3))
        held = rows < len(self.moments)
        moments[held] = self.moments[rows[held]]
        mean, variance = self._shrunk(moments)
        density: NDArray[np.float64] = -0.5 * ((np.log1p(events) - mean) ** 2 / variance + np.log(variance))
        return density

    def drop(self, row: int) -> None:
        """The row stands for another item from now on."""
        if row < len(self.moments):
            self.moments[row] = 0.0

    def live(self) -> dict[str, Any]:
        return {"moments": Rows(self.written, self.moments), "total": self.total}

    def load(self, state: dict[str, Any]) -> None:
        self.moments, self.total = state["moments"].copy(), state["total"].copy()


def stage_fit(query: Query) -> NDArray[np.float64]:
    """(C, 1): log density of the user's stage under each candidate."""
    return query.statistics.stage[query.domain].fit(query.rows, query.events)[:, None]


SIGNAL = Signal((Column("stage", (-1.2, -0.6, -0.2, 0.2)),), stage_fit)
