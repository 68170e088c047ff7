"""Count how often the item of an event was near the top of each arm's list, from before the event was learned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.settings import ARMS

TOPS = (1, 10, 50)
"""The lengths of lists that hits are counted for."""
_BOUNDS = np.array([0, *TOPS])
"""The class of a rank is the number of these that it reaches: 0 for no rank, the last one for all beyond."""
_CLASSES = len(_BOUNDS) + 1


class Hits:
    """Counts since it was made, by domain and arm. It is no part of the state.

    >>> hits = Hits(domains=1)
    >>> hits.add(np.array([0, 0]), np.array([[0, 9, 49, 50], [3, -1, 0, 9]]))
    >>> hits.counts[0].tolist()  # of the four arms: ranked events, and those among the first 1, 10 and 50
    [[2, 1, 2, 2], [1, 0, 1, 1], [2, 1, 1, 2], [2, 0, 1, 1]]
    """

    def __init__(self, domains: int) -> None:
        self._classes = np.zeros((domains, len(ARMS), _CLASSES), np.int64)

    def add(self, domain: NDArray[np.int64], rank: NDArray[np.int64]) -> None:
        """Count events. domain: (B,). rank: (B, arms) of the item, 0 the best, -1 for none."""
        found = np.searchsorted(_BOUNDS, rank, side="right")
        places = (domain[:, None] * len(ARMS) + np.arange(len(ARMS))) * _CLASSES + found
        self._classes += np.bincount(places.ravel(), minlength=self._classes.size).reshape(
            self._classes.shape
        )

    @property
    def counts(self) -> NDArray[np.int64]:
        """(domains, arms, 1 + tops): events that the arm ranked, and those whose item was among the first 1, 10, 50."""
        within = self._classes[:, :, 1:].cumsum(2)  # the last column has all that were ranked
        return np.roll(within, 1, 2)
