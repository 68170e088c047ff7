"""Hold the totals of every unit of an arm, which the product adds up one at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from models.experiments.ratio_test import Comparison, compare_sums
from models.experiments.sums import ArmSums, Numbers


class UnitTotals(NamedTuple):
    """Sums by unit (user or list) of one arm, (n,) each. A unit that was shown nothing need not be there.

    before_shown, before_clicks: the same sums from before the experiment, which no arm can have changed; zeros without.
    """

    shown: Numbers
    clicks: Numbers
    before_shown: Numbers
    before_clicks: Numbers

    @property
    def ratio(self) -> float:
        """Clicks per impression; 0 without impressions."""
        shown = float(self.shown.sum())
        return float(self.clicks.sum()) / shown if shown else 0.0

    def sums(self) -> ArmSums:
        """Return the sums of these units."""
        columns = np.stack(self).astype(np.float64)
        seen = int(np.count_nonzero(self.shown))
        return ArmSums(seen, columns.shape[1], columns.sum(1), columns @ columns.T)


def compare(a: UnitTotals, b: UnitTotals) -> Comparison:
    """Compare two arms by the totals of their units; see `compare_sums`."""
    return compare_sums(a.sums(), b.sums())
