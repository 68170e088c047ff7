"""Turn a ranking into a list for people, with titles, reasons, and diversity."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.ranking.diversity import diversified
from models.ranking.rankings import Ranked
from models.tables.catalogue import Catalogue

DIVERSE_POOL = 3
"""Diversity chooses among this many times the wanted items."""


class Recommendation(msgspec.Struct, frozen=True):
    """One line of a list; `why` holds the contributions of the signals, which add up to `score`.

    p: the probability with which it was drawn to its place, given the places before it; 1 if it was not drawn.
    """

    item_id: str
    title: str
    score: float
    why: dict[str, float]
    row: int
    p: float = 1.0


def pool_size(k: int, diversity: float) -> int:
    """Return the number of items to rank for a list of `k`."""
    return k * DIVERSE_POOL if diversity > 0 else k


def to_list(
    catalogue: Catalogue,
    ranked: Ranked,
    k: int,
    explained: int,
    diversity: float,
    p: NDArray[np.float64] | None = None,
) -> list[Recommendation]:
    """Return the best `k` of a ranking, the first `explained` with their reasons.

    p: (k,) of a list that was drawn, whose order stays.

    diversity: 0 to order by score alone; the nearer to 1, the more an item must differ from those above it.
    """
    some: slice | NDArray[np.int64] = slice(k)
    if diversity > 0 and p is None:
        some = diversified(ranked.scores, catalogue.vectors[ranked.rows], k, diversity)
    rows = ranked.rows[some].tolist()
    parts = (ranked.contributions[some][:explained] + 0.0).tolist()  # + 0.0: no part is written as -0.0
    why = [dict(zip(ranked.names, values, strict=True)) for values in parts]
    why += [{}] * (len(rows) - len(why))
    ids, titles = ([of[row] for row in rows] for of in (catalogue.id_of, catalogue.title_of))
    chances = () if p is None else (p[some].tolist(),)
    return list(map(Recommendation, ids, titles, ranked.scores[some].tolist(), why, rows, *chances))
