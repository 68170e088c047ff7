"""One user's affinity to the items of a domain: all of them at once, or the top from an index and a few exactly."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.text.inverted_lists import VectorIndex


class Affinity(Protocol):
    """How near the items of a domain are to one user."""

    def top(self, allowed: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
        """The `k` highest of the allowed rows (all that are allowed, if fewer), in any order. allowed: (rows,)"""

    def values(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(len(rows),): the exact affinities of these rows."""


class Dense(NamedTuple):
    """Computed for all rows; both answers are exact. scores: (rows,)"""

    scores: NDArray[np.float32]

    def top(self, allowed: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
        return best(self.scores, allowed, k)

    def values(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.scores[rows]


class Indexed(NamedTuple):
    """`vectors · query`, (rows, dim) and (dim,): the top is approximate, and may be short of `k`; values are exact."""

    lists: VectorIndex
    vectors: NDArray[np.float32]
    query: NDArray[np.float32]

    def top(self, allowed: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
        return self.lists.top(self.vectors, self.query, allowed, k)

    def values(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        products: NDArray[np.float32] = self.vectors[rows] @ self.query
        return products


def affinities(
    index: VectorIndex, vectors: NDArray[np.float32], queries: NDArray[np.float32]
) -> list[Affinity]:
    """One for each of the queries (users, dim): by one matrix product as long as the index is not in use."""
    if index.in_use:
        return [Indexed(index, vectors, query) for query in queries]
    return [Dense(scores) for scores in queries @ vectors.T]


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
