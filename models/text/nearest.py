"""Search for the vectors with the highest dot product: all of them, or those of a few inverted lists."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel

PROBED = 24
"""The least number of lists that a query reads. In large catalogues it reads one list in `PROBED_SHARE`."""
PROBED_SHARE = 64
NONE = -1

Array = NDArray[np.float32]


class Lists(NamedTuple):
    """L inverted lists as a kernel searches them.

    centres: (L, dim). begin: (L + 1,) where each list begins in `members`. members: item rows, list by list, NONE for a
    row that has left its list. packed: (members, dim) their vectors as bytes; times scale, (members,), they are the
    vectors. loose: rows that every query reads, all rows if L = 0. size: the number of rows.
    """

    centres: Array
    begin: NDArray[np.int32]
    members: NDArray[np.int32]
    packed: NDArray[np.int8]
    scale: Array
    loose: NDArray[np.int32]
    size: int


class Best(NamedTuple):
    """The k best offers as a min-heap: scores (k,), the lowest at the root, and their rows (k,)."""

    scores: Array
    rows: NDArray[np.int32]


def best_of(k: int) -> Best:
    """Allocate the best k."""
    return Best(np.zeros(k, np.float32), np.zeros(k, np.int32))


@kernel
def offer(scores: Array, rows: NDArray[np.int32], k: int, score: Any, row: int) -> None:
    """Replace the lowest of k scores by a higher one, which sinks from the root of the min-heap to its place.

    scores, rows: (k or more,). score, row: the new entry.
    """
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
    """Return the dot product of two vectors, (n,) each."""
    total = np.float32(0)
    for k in range(len(left)):
        total += left[k] * right[k]
    return total


class Searched(NamedTuple):
    """What a search reads: all vectors, (rows, dim), their lists, and which rows are eligible, (rows,).

    closed: (rows,); a row with `closed[row] == mark` is left out too.
    """

    vectors: Array
    lists: Lists
    eligible: NDArray[np.bool_]
    closed: NDArray[np.int32]
    mark: int


@kernel
def offer_rows(query: Array, searched: Searched, rows: NDArray[np.int32], best: Best) -> None:
    """Offer the dot products of these rows, without rows that are not eligible, are closed, or have a zero vector."""
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
    """Offer the members of one list by their packed vectors, which lie side by side in memory. which: the list."""
    lists, eligible, closed, mark = searched.lists, searched.eligible, searched.closed, searched.mark
    members, packed, scale = lists.members, lists.packed, lists.scale
    for place in range(lists.begin[which], lists.begin[which + 1]):
        score = np.float32(0)
        for k in range(len(query)):
            score += query[k] * np.float32(packed[place, k])
        score *= scale[place]
        # Few members get so far, so the memory of `eligible` and `closed` is seldom read.
        if score > best.scores[0]:
            row = members[place]
            if row != NONE and eligible[row] and closed[row] != mark:
                offer(best.scores, best.rows, len(best.scores), score, row)


@kernel
def nearest(query: Array, searched: Searched, best: Best, probes: Best) -> int:
    """Find the eligible rows with the highest `vectors · query`, and return their number.

    Members of lists are compared by their bytes, so their products are approximate. query: (dim,). best: written; the
    rows found come first, in no order. probes: working memory for the lists to read.
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
