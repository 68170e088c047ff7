"""Turn a ranking into a list for people, with titles, reasons, and diversity."""

from __future__ import annotations

from typing import NamedTuple

from models.ranking.diversity import diversified
from models.ranking.rankings import Ranked
from models.tables.catalogue import Catalogue

DIVERSE_POOL = 3
"""Diversity chooses among this many times the wanted items."""


class Recommendation(NamedTuple):
    """One line of a list. why: the contribution of each signal; they add up to `score`."""

    item_id: str
    title: str
    score: float
    why: dict[str, float]
    row: int


def pool_size(k: int, diversity: float) -> int:
    """Return the number of items to rank for a list of `k`."""
    return k * DIVERSE_POOL if diversity > 0 else k


def to_list(
    catalogue: Catalogue, ranked: Ranked, k: int, explained: int, diversity: float
) -> list[Recommendation]:
    """Return the best `k` of a ranking, the first `explained` with their reasons.

    diversity: 0 to order by score alone; the nearer to 1, the more an item must differ from those above it.
    """
    order = list(range(min(k, len(ranked.rows))))
    if diversity > 0:
        order = diversified(ranked.scores, catalogue.vectors[ranked.rows], k, diversity).tolist()
    rows, scores = ranked.rows.tolist(), ranked.scores.tolist()
    why = [dict(zip(ranked.names, ranked.contributions[n].tolist(), strict=True)) for n in order[:explained]]
    why += [{}] * (len(order) - len(why))
    return [
        Recommendation(catalogue.id_of[rows[n]], catalogue.title_of[rows[n]], scores[n], parts, rows[n])
        for n, parts in zip(order, why, strict=True)
    ]
