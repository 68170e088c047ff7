"""Hold what estimators need of a log for any examination curve, and how much an error of the curve moves a value."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.exposure.off_policy import Lists

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Index = NDArray[np.int64]

STEP = 1e-3


class LoggedLists(NamedTuple):
    """n lists of up to k places. All (n, k) if not said otherwise.

    clicks: 0 or 1. shown: whether there was an item. ranks: of each place, from 0. logged, target: (n, k, k), the
    chance of each shown item at each place under either policy. appeal: see `Lists`. worth: the mean appeal of what the
    target shows at each place.
    """

    clicks: Floats
    shown: NDArray[np.bool_]
    ranks: Index
    logged: Singles
    target: Singles
    appeal: Floats
    worth: Floats

    def lists(self, curve: Floats) -> Lists:
        """Return what the estimators need if ranks are examined by `curve`, (ranks,)."""
        theta = np.where(self.shown, curve[self.ranks], 0.0)
        target, logged = (np.einsum("nij,nj->ni", chances, theta) for chances in (self.target, self.logged))
        ratio = np.divide(target, logged, out=np.zeros_like(theta), where=self.shown & (logged > 0))
        return Lists(self.clicks, theta, ratio, self.appeal, (self.worth * theta).sum(1))


def slope(values: Callable[[Floats], Floats], curve: Floats) -> Floats:
    """Return the slopes of m values in the logarithm of each rank's examination, (ranks, m).

    They are 0 at the first rank, whose examination is 1.

    >>> print(slope(lambda curve: np.array([curve.sum()]), np.array([1.0, 0.5])).round(3).tolist())
    [[0.0], [0.5]]
    """
    steps = STEP * np.eye(len(curve))[1:]
    slopes = [(values(curve * np.exp(step)) - values(curve * np.exp(-step))) / (2 * STEP) for step in steps]
    return np.array([0.0 * values(curve), *slopes])
