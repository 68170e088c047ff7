"""Which items a ranking considers: the union of the top lists of several signals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.signals.covisit_scores import CovisitScores
from models.signals.popularity import HALF_LIVES, Popularity
from models.text.top_k import Affinity, best, leading

TOP_OF_EACH = 30
"""How many candidates each signal proposes."""
FEWEST = 100
"""How many candidates there are at least, as long as items are eligible."""


def candidate_rows(
    eligible: NDArray[np.bool_],
    popularity: Popularity,
    covisits: CovisitScores,
    affinities: tuple[Affinity | None, ...],
    time: float,
    include: int | None = None,
) -> NDArray[np.int64]:
    """Return the candidates' item rows, (C,) ascending.

    eligible: (rows,) items that may be recommended and that the user has not had. include: a row that is a candidate
    in any case. The set does not depend on the item that the user chose, which keeps the ranker's likelihood
    consistent. When it is small, the items most in demand fill it up to `FEWEST`.
    """
    chosen = np.zeros(len(eligible), np.bool_)
    for half_life in HALF_LIVES:
        top = popularity.top(half_life)
        chosen[top[eligible[top]][:TOP_OF_EACH]] = True
    for sums in covisits.sums:
        chosen[covisits.rows[best(sums, sums > 0, TOP_OF_EACH)]] = True
    for affinity in affinities:
        if affinity is not None:
            chosen[affinity.top(eligible, TOP_OF_EACH)] = True
    if include is not None:
        chosen[include] = True
    rows = np.flatnonzero(chosen)
    if len(rows) < FEWEST:
        rest = np.flatnonzero(eligible & ~chosen)
        demand = popularity.column("ever", len(eligible), time)[rest]
        rows = np.sort(np.concatenate([rows, rest[leading(demand, FEWEST - len(rows))]]))
    return rows
