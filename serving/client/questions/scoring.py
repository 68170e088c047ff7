"""Rank candidates from what is published: the user's list and vector, and vector and popularity of each item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log1p, sqrt
from typing import NamedTuple

from ..answers import RankedItem
from .vectors import Vector, dot

AFFINITY = 1.0
"""Weight of the affinity against that of the popularity, both in standard deviations over the candidates."""


class Candidate(NamedTuple):
    """What the store says of an item; neither vector nor popularity for one that it does not have."""

    id: str
    vector: Vector | None
    popularity: float | None


def ranked(
    user: Vector | None, candidates: Sequence[Candidate], places: Mapping[str, int]
) -> list[RankedItem]:
    """Return the candidates, best first. user: the user's vector, None without one. places: on their list, by item.

    Items on the list come first, in its order: the list was made with more than is published. The others follow by
    their affinity (dot product of the vectors) and their popularity (log(1 + n)), each standardised over the
    candidates and added up. Items that the store does not have come last.
    """
    affinity = _standardised([dot(user, one.vector) for one in candidates])
    demand = _standardised([log1p(max(0.0, one.popularity or 0.0)) for one in candidates])
    estimates = [AFFINITY * a + p for a, p in zip(affinity, demand, strict=True)]
    low, high = min(estimates, default=0.0), max(estimates, default=0.0)
    spread = high - low or 1.0
    scored = []
    for one, estimate in zip(candidates, estimates, strict=True):
        known = one.vector is not None or one.popularity is not None
        if one.id in places:
            score = 2.0 - places[one.id] / max(1, len(places))
        else:
            score = (estimate - low) / spread if known else 0.0
        scored.append(RankedItem(one.id, score, known))
    return sorted(scored, key=lambda item: (-item.score, not item.known))


def _standardised(values: Sequence[float]) -> list[float]:
    if not values:
        return []
    mean = sum(values) / len(values)
    deviation = sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    return [(value - mean) / deviation if deviation > 0 else 0.0 for value in values]
