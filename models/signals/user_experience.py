"""Rank items by how experienced their users are: some are for beginners, others for people with many events."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.signals.signal import Column, Columns
from models.state.dirty_keys import DirtyKeys
from models.state.growing import Growing
from models.state.tracked_tables import CheckpointedRows, Rows

MEMORY = 0.97
"""Factor of the weight of an item's earlier users at each new one, so that about the last 33 count."""
PRIOR_STRENGTH = 3.0
"""The domain's own mean and variance count as this many users of each item."""
LEAST_VARIANCE = 0.1


@kernel
def fold(moments: NDArray[np.float64], total: NDArray[np.float64], rows: NDArray[np.int64],
         events: NDArray[np.int64]) -> None:  # fmt: skip
    """Add users to items, in order: `m ← MEMORY · m + (1, x, (x - mean)²)` with `x = log(1 + events)`.

    moments: (items, 3) decayed weight, sum of x, sum of squared deviations. total: (3,) the same of the domain, not
    decayed. rows: (n,). events: (n,) events of the user in the domain before this one.
    """
    for n in range(len(rows)):
        row, x = rows[n], np.log1p(events[n])
        total[0] += 1.0
        total[1] += x
        total[2] += (x - total[1] / total[0]) ** 2
        mean = (moments[row, 1] + PRIOR_STRENGTH * total[1] / total[0]) / (moments[row, 0] + PRIOR_STRENGTH)
        moments[row, 0] = MEMORY * moments[row, 0] + 1.0
        moments[row, 1] = MEMORY * moments[row, 1] + x
        moments[row, 2] = MEMORY * moments[row, 2] + (x - mean) ** 2


class UserExperience(CheckpointedRows):
    """The running mean and variance, for each item, of `x = log(1 + events of the user in the domain so far)`.

    The signal is the log density of the user's own x under the item's normal distribution. Both moments are shrunk to
    those of the domain.

    >>> experience = UserExperience()
    >>> experience.fold(np.array([0, 0]), np.array([0, 0]))  # two new users: x = 0
    >>> print(experience.moments[0])  # weight 1 + 0.97
    [1.97 0.   0.  ]
    """

    def __init__(self, written: DirtyKeys | None = None) -> None:
        """Begin without events. written: dirty item rows, shared with the rows' owner."""
        self.written = written or DirtyKeys()
        self.rows = Growing(moments=((3,), 0.0))
        self.total = np.zeros(3)

    @property
    def moments(self) -> NDArray[np.float64]:
        """(rows, 3): decayed weight, sum of x, sum of squared deviations."""
        return self.rows.arrays["moments"]

    def reserve(self, rows: int) -> None:
        """Make room for this many items."""
        self.rows.reserve(rows)

    def fold(self, rows: NDArray[np.int64], events: NDArray[np.int64]) -> None:
        """Add users to items, in order. rows: (n,). events: (n,) events of the user before."""
        self.reserve(int(rows.max()) + 1)
        fold(self.moments, self.total, rows, events)
        self.written.update(rows.tolist())

    def drop(self, row: int) -> None:
        """Forget the row: it is free, or stands for another item, from now on."""
        if row < len(self.moments):
            self.moments[row] = 0.0

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {"moments": Rows(self.written, self.moments), "total": self.total}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.rows.load(moments=state["moments"])
        self.total = state["total"].copy()


@kernel
def log_density(columns: Columns, column: int) -> None:
    """Fill `-½ ((x - μ_i)² / σ_i² + log σ_i²)` of each candidate. x: `log(1 + events)` of the user."""
    moments, total = columns.items.moments, columns.items.total
    x = np.log1p(columns.asked.events[columns.event])
    users = max(total[0], 1.0)
    mean_sum = PRIOR_STRENGTH * total[1] / users
    squares_sum = PRIOR_STRENGTH * (total[2] / users + LEAST_VARIANCE)
    values = columns.values[column]
    for c in range(columns.size):
        row = columns.rows[c]
        shrunk = 1.0 / (moments[row, 0] + PRIOR_STRENGTH)
        mean = (moments[row, 1] + mean_sum) * shrunk
        variance = (moments[row, 2] + squares_sum) * shrunk
        values[c] = np.float32(-0.5 * ((x - mean) ** 2 / variance + np.log(variance)))


COLUMNS = (Column("stage", (-1.2, -0.6, -0.2, 0.2)),)
