"""Measure how much of each item a user was shown and passed over."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.exposure.examination import RANKS
from models.learning.impressions import Shown, ShownLists

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

RECOVERY = 0.8
"""Factor of a show for each later impression of the user in the domain, because users recover."""


def examined(curve: Floats, places: int) -> Floats:
    """Return how often each place is examined, (places,). curve: (RANKS,). Deeper places count as the last."""
    if places <= RANKS:
        return curve[:places]
    return np.concatenate([curve, np.full(places - RANKS, curve[-1])])


class PassedOver(NamedTuple):
    """Items by hash, ascending, and for each `Σ θ(rank) · 0.8^later` over the impressions that showed it unclicked."""

    hashes: Index
    shows: Floats

    def at(self, hashes: Index) -> Floats:
        """Return the shows of items by hash, (n,)."""
        if not len(self.hashes):
            return np.zeros(len(hashes))
        place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[place] == hashes, self.shows[place], 0.0)


NOTHING = PassedOver(np.zeros(0, np.int64), np.zeros(0))


def passed_over(
    lists: ShownLists, user: int | None, domain: int, curve: Floats, until: Shown | None = None
) -> PassedOver:
    """Return what a user passed over in a domain. domain: its hash. curve: (RANKS,) how often ranks are examined.

    until: count impressions that were added before this one only, which is one of the user's.

    >>> lists, marks = ShownLists(), np.zeros(1, np.int64)
    >>> lists.add(0, Shown(7, 0, 1, 0, np.array([11, 12]), marks))
    >>> lists.add(0, Shown(7, 0, 2, 0, np.array([11, 13]), marks))
    >>> passed_over(lists, 0, 7, np.array([1.0, 0.5])).at(np.array([11, 12, 13, 14])).tolist()  # .8 · 1 + 1, .8 · .5
    [1.8, 0.4, 0.5, 0.0]
    """
    if user is None or lists.empty:
        return NOTHING
    hashes, shows, weight = list[Index](), list[Floats](), 1.0
    counts = until is None
    for shown in lists.of(user):
        if shown.domain == domain and counts:
            hashes.append(shown.items)
            shows.append(weight * examined(curve, len(shown.items)) * ~shown.clicked)
            weight *= RECOVERY
        if until is not None and (shown.time, shown.id) == (until.time, until.id):
            counts = True
    if not hashes:
        return NOTHING
    items, place = np.unique(np.concatenate(hashes), return_inverse=True)
    return PassedOver(items, np.bincount(place, np.concatenate(shows), len(items)).astype(np.float64))
