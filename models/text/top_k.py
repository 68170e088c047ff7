"""The highest of many numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def best(scores: NDArray[Any], allowed: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
    """Places of the k highest allowed scores (all that are allowed, if fewer), in any order."""
    if len(scores) > 4096:
        # every 16th score tells where about 3k begin: a full selection costs ten times as much
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


def leading(scores: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Places of the k highest scores (all, if fewer), highest first and the earlier first among equals."""
    if len(scores) <= k:
        return np.argsort(-scores, kind="stable")
    # What reaches the k-th is little, as a rule: sorting only that costs a twentieth of sorting all.
    places = np.flatnonzero(scores >= np.partition(scores, len(scores) - k)[len(scores) - k])
    return places[np.argsort(-scores[places], kind="stable")[:k]]
