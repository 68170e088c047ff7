"""Measure how much of each item a user was shown and passed over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.exposure.examination import RANKS
from models.kernels import kernel
from models.learning.impressions import BITS, HEAD, Shown, ShownLists

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

RECOVERY = 0.8
"""Factor of a show for each later impression of the user in the domain, because users recover."""


def examined(curve: Floats, places: int) -> Floats:
    """Return how often each place is examined, (places,). curve: (RANKS,). Deeper places count as the last."""
    if places <= RANKS:
        return curve[:places]
    return np.concatenate([curve, np.full(places - RANKS, curve[-1])])


@kernel
def add_passed_over(words: Index, domain: int, curve: Floats, until: tuple[bool, int, int], hashes: Index,
                    out: Floats) -> None:  # fmt: skip
    """Add what a user passed over in a domain to `out`, (n,), of items by hash, (n,).

    words: of the user, as `ShownLists` keeps them. domain: its hash. curve: (RANKS,). until: whether all impressions
    count; else only those before the one of this time and id.
    """
    counts, time, name = until
    weight, end = 1.0, len(words)
    while end >= HEAD:
        count = words[end - 1]
        marks = end - HEAD - (count + BITS - 1) // BITS
        if marks < count:
            return  # the rest of one that has lost its beginning
        begin = marks - count
        if words[end - 3] == domain and counts:
            for k in range(count):
                if (words[marks + k // BITS] >> (k % BITS)) & 1 == 0:
                    item, shows = words[begin + k], weight * curve[min(k, len(curve) - 1)]
                    for n in range(len(hashes)):  # without a branch
                        out[n] += shows if hashes[n] == item else 0.0
            weight *= RECOVERY
        counts = counts or (words[end - 2] == time and words[end - 4] == name)
        end = begin


def passed_over(
    lists: ShownLists, user: int | None, domain: int, curve: Floats, hashes: Index, until: Shown | None = None
) -> Floats:
    """Return how much of items, by hash, a user passed over: `Σ θ(rank) · 0.8^later` over the impressions, (n,).

    Only impressions count that showed the item unclicked. domain: its hash. curve: (RANKS,) how often ranks are
    examined. until: count impressions that were added before this one only, which is one of the user's.

    >>> lists, marks = ShownLists(), np.zeros(1, np.int64)
    >>> lists.add(0, Shown(7, 0, 1, 0, np.array([11, 12]), marks))
    >>> lists.add(0, Shown(7, 0, 2, 0, np.array([11, 13]), marks))
    >>> passed_over(lists, 0, 7, np.array([1.0, 0.5]), np.array([11, 12, 13, 14])).tolist()  # .8 · 1 + 1, .8 · .5
    [1.8, 0.4, 0.5, 0.0]
    """
    out = np.zeros(len(hashes))
    if user is not None and not lists.empty:
        before = (True, 0, 0) if until is None else (False, until.time, until.id)
        add_passed_over(lists.words(user), domain, curve, before, hashes, out)
    return out
