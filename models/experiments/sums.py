"""Keep what a comparison of arms needs of their units: sums and sums of products, which one unit changes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


class ArmSums(NamedTuple):
    """What is known of the units of one arm. It is exact as long as every sum stays below 2^53.

    seen: units that were shown something in the experiment. units: those, and units that were shown something before.
    first: (4,) sums over units of impressions, clicks, and both before the experiment. second: (4, 4) of products.
    """

    seen: int
    units: int
    first: Numbers
    second: Numbers

    @classmethod
    def none(cls) -> ArmSums:
        """Return the sums of no unit."""
        return cls(0, 0, np.zeros(4), np.zeros((4, 4)))

    @property
    def shown(self) -> float:
        """Impressions."""
        return float(self.first[0])

    @property
    def clicks(self) -> float:
        """Clicks."""
        return float(self.first[1])

    @property
    def ratio(self) -> float:
        """Clicks per impression; 0 without impressions."""
        return self.clicks / self.shown if self.shown else 0.0

    def moved(self, before: Sequence[int], after: Sequence[int]) -> ArmSums:
        """Return the sums once a unit has other totals: impressions, clicks, both before. All zero: there is no unit.

        >>> one = ArmSums.none().moved((0, 0, 0, 0), (1, 0, 0, 0)).moved((1, 0, 0, 0), (1, 2, 0, 0))
        >>> one.units, one.ratio, one.second[1].tolist()
        (1, 2.0, [2.0, 4.0, 0.0, 0.0])
        >>> one.moved((1, 2, 0, 0), (0, 0, 0, 0)).units
        0
        """
        old, new = np.array(before, np.float64), np.array(after, np.float64)
        return ArmSums(
            self.seen + (after[0] > 0) - (before[0] > 0),
            self.units + any(after) - any(before),
            self.first + new - old,
            self.second + np.outer(new, new) - np.outer(old, old),
        )

    def __add__(self, other: ArmSums) -> ArmSums:  # type: ignore[override]
        """Return the sums of the units of both."""
        first, second = self.first + other.first, self.second + other.second
        return ArmSums(self.seen + other.seen, self.units + other.units, first, second)

    def covariance(self) -> Numbers:
        """Return the covariance of the four totals over units, (4, 4); at least two units are needed."""
        centred = self.second - np.outer(self.first, self.first) / self.units
        covariance: Numbers = centred / (self.units - 1)
        return covariance
