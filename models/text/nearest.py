"""Search for the vectors with the highest dot product: all of them, or those of a few inverted lists."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel

PROBED = 24
"""How many lists a query looks into, at least; in large catalogues one list in `PROBED_SHARE`."""
PROBED_SHARE = 64
NONE = -1

Array = NDArray[np.float32]


class Lists(NamedTuple):
    """What a kernel needs to search. centres: (L, dim). begin: (L + 1,) into `members`.

    members: item rows, list by list, NONE for one that has left its list. packed: (members, dim) their vectors as
    bytes, one after the other as they are searched; times scale (members,) they are what they were. loose: rows that
    every query looks at; all of them where L = 0. size: rows that exist.
    """

    centres: Array
    begin: NDArray[np.int32]
    members: NDArray[np.int32]
    packed: NDArray[np.int8]
    scale: Array
    loose: NDArray[np.int32]
    size: int


class Best(NamedTuple):
    """The best of what was offered, as a min-heap: scores (k,) ascending at the root, and their rows (k,)."""

    scores: Array
    rows: NDArray[np.int32]


def best_of(k: int) -> Best:
    """Return room for the best k."""
    return Best(np.zeros(k, np.float32), np.zeros(k, np.int32))


@kernel
def offer(scores: Array, rows: NDArray[np.int32], k: int, score: Any, row: int) -> None:
    """Replace the lowest of k by a higher one: the root of a min-heap sinks to its place."""
    at = 0
    while True:
        child = 2 * at + 1
        if child >= k:
            break
        if child + 1 < k and scores[child + 1] < scores[child]:
            child += 1
        if scores[child] >= score:
            break
        scores[at], rows[at] = scores[child], rows[child]
        at = child
    scores[at], rows[at] = score, row


@kernel
def dot(left: Array, right: Array) -> Any:
    """Return Σ_k left_k right_k."""
    total = np.float32(0)
    for k in range(len(left)):
        total += left[k] * right[k]
    return total


class Searched(NamedTuple):
    """What a search looks at. vectors: (rows, dim), all, and their lists. eligible: (rows,).

    closed: (rows,); a row with `closed[row] == mark` is left out too.
    """

    vectors: Array
    lists: Lists
    eligible: NDArray[np.bool_]
    closed: NDArray[np.int32]
    mark: int


@kernel
def offer_rows(query: Array, searched: Searched, rows: NDArray[np.int32], best: Best) -> None:
    """Offer the dot products of these rows, but not of those that are not eligible or closed, nor of zero vectors."""
    vectors, _, eligible, closed, mark = searched
    for row in rows:
        if eligible[row] and closed[row] != mark:
            score = np.float32(0)
            for k in range(len(query)):
                score += query[k] * vectors[row, k]
            if score > best.scores[0] and score != 0:
                offer(best.scores, best.rows, len(best.scores), score, row)


@kernel
def offer_members(query: Array, searched: Searched, which: int, best: Best) -> None:
    """Offer the members of one list, by their packed vectors: they lie side by side, and only the best are wanted."""
    lists, eligible, closed, mark = searched.lists, searched.eligible, searched.closed, searched.mark
    members, packed, scale = lists.members, lists.packed, lists.scale
    for place in range(lists.begin[which], lists.begin[which + 1]):
        score = np.float32(0)
        for k in range(len(query)):
            score += query[k] * np.float32(packed[place, k])
        score *= scale[place]
        # Few get so far: what is known of a row by its number lies far away.
        if score > best.scores[0]:
            row = members[place]
            if row != NONE and eligible[row] and closed[row] != mark:
                offer(best.scores, best.rows, len(best.scores), score, row)


@kernel
def nearest(query: Array, searched: Searched, best: Best, probes: Best) -> int:
    """Find the eligible rows with the highest `vectors · query`, to within a byte's precision; return how many.

    query: (dim,). best, probes: room for what is found and for lists. The rows found stand first in `best.rows`, in no
    order.
    """
    lists, centres = searched.lists, searched.lists.centres
    best.scores[:], best.rows[:] = -np.inf, NONE
    count = len(centres)
    if count > 0:
        probed = min(len(probes.scores), count, max(PROBED, count // PROBED_SHARE))
        probes.scores[:probed], probes.rows[:probed] = -np.inf, NONE
        for n in range(count):
            score = np.float32(0)
            for k in range(len(query)):
                score += query[k] * centres[n, k]
            if score > probes.scores[0]:
                offer(probes.scores, probes.rows, probed, score, n)
        for p in range(
            probed - 1, -1, -1
        ):  # the nearest lists stand behind: they raise the bar for the others
            which = probes.rows[p]
            if which != NONE:  # a query that is not finite is near to none
                offer_members(query, searched, which, best)
    offer_rows(query, searched, lists.loose, best)
    found = 0
    for n in range(len(best.rows)):
        if best.rows[n] != NONE:
            best.rows[found] = best.rows[n]
            found += 1
    return found
