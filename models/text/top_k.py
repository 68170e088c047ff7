"""Find the highest of many numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def top_k_unordered(scores: NDArray[Any], allowed: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
    """Return the places of the k highest allowed scores (of all allowed ones, if fewer), in any order."""
    if len(scores) > 4096:
        # every 16th score gives a bound above which about 3k lie: a full selection costs ten times as much
        sample = scores[::16]
        bound = np.partition(sample, len(sample) - 1 - 3 * k // 16)[len(sample) - 1 - 3 * k // 16]
        places = np.flatnonzero(scores >= bound)
        places = places[allowed[places]]
        if len(places) < k:
            places = np.flatnonzero(allowed)
    else:
        places = np.flatnonzero(allowed)
    if len(places) <= k:
        return places
    chosen: NDArray[np.int64] = places[np.argpartition(scores[places], len(places) - k)[len(places) - k :]]
    return chosen


def top_k_sorted(scores: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Return the places of the k highest scores (of all, if fewer), highest first; equals in their order. scores: (n,).

    >>> top_k_sorted(np.array([1.0, 3.0, 2.0, 3.0]), 3).tolist()
    [1, 3, 2]
    """
    if len(scores) <= k:
        return np.argsort(-scores, kind="stable")
    # Few scores reach the k-th, as a rule: sorting only those costs a twentieth of sorting all.
    places = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
    return places[np.argsort(-scores[places], kind="stable")[:k]]
