"""Let users tire of items that they were shown and passed over, and recover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Fatigue:
    """How often each user has passed over each item of a domain. Older times count less.

    Each show that is not clicked adds the probability that its rank was looked at. The sum halves in `half_life`, and
    with the sum p the log odds of a click are lower by `weight · ln(1 + p)`. The logarithm keeps the most active users
    from losing all items. Times are impressions of all domains.

    >>> fatigue = Fatigue(users=1, items=2, weight=0.5, half_life=100.0)
    >>> fatigue.add(0, np.array([1]), np.array([1.0]), time=0)
    >>> print(fatigue.of(0, np.array([0, 1]), time=0).round(3))  # 0.5 ln 2
    [0.    0.347]
    >>> print(fatigue.of(0, np.array([0, 1]), time=100).round(3))  # 0.5 ln 1.5
    [0.    0.203]
    """

    def __init__(self, users: int, items: int, weight: float, half_life: float) -> None:
        """Begin with users who have passed over nothing."""
        self._weight, self._half_life = weight, half_life
        self._passed = np.zeros((users, items), np.float32)
        self._since = np.zeros((users, items), np.int32)

    def of(self, user: int, items: Ints, time: int) -> Floats:
        """Return by how much the log odds of a click are lower now, (n,). items: (n,) rows."""
        return self._weight * np.log1p(self._left(user, items, time))

    def add(self, user: int, items: Ints, looks: Floats, time: int) -> None:
        """Count that a user passed over distinct items. items: (n,) rows. looks: (n,) how probably each was seen."""
        self._passed[user, items] = self._left(user, items, time) + looks
        self._since[user, items] = time

    def _left(self, user: int, items: Ints, time: int) -> Floats:
        """Return what is left of the sums at a time, (n,)."""
        ages = time - self._since[user, items]
        return np.asarray(self._passed[user, items] * np.exp2(-ages / self._half_life))
