"""Rank a whole domain by one signal alone, to compare the ranker with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.signals.covisit_scores import SIGNALS as COVISITS
from models.signals.popularity import HALF_LIVES
from models.text.top_k import best

if TYPE_CHECKING:
    from models.ranking.ranker import Ranker

POPULARITY = {f"popularity_{name}": name for name in HALF_LIVES}


def scores_by(
    ranker: Ranker, name: str, domain: int, user: int | None, time: float, eligible: NDArray[np.bool_]
) -> NDArray[np.floating[Any]]:
    """Return (rows,) scores by one signal, right for the eligible items only; of a popularity its logarithm.

    name: one of `signals.RANKS_ALONE`.
    """
    size = ranker.catalogues[domain].size
    if name in POPULARITY:
        return ranker.statistics.popularity[domain].column(POPULARITY[name], size, time)
    scores = np.zeros(size, np.float32)
    if name == "text":
        text = ranker.text(domain, [user])[0]
        return scores if text is None else text.values(np.arange(size))
    rows, sums = ranker.covisits(domain, user, time, eligible)
    scores[rows] = sums[list(COVISITS).index(name)]
    return scores


def top_by(
    ranker: Ranker,
    name: str,
    domain: int,
    scores: NDArray[np.floating[Any]],
    eligible: NDArray[np.bool_],
    k: int,
) -> NDArray[np.int64]:
    """Return the k highest eligible rows of what `scores_by` gave, in any order."""
    if name in POPULARITY:
        listed = ranker.statistics.popularity[domain].top(POPULARITY[name])
        if len(top := listed[eligible[listed]][:k]) == k:
            return top
    return best(scores, eligible, k)
