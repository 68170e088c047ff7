"""Search for the vectors with the highest dot product: all of them, or those of a few inverted lists."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel

PROBED = 24
"""The least number of lists that a query reads. In large catalogues it reads one list in `PROBED_SHARE`."""
PROBED_SHARE = 64
PROBES = 256
"""The most inverted lists that one search reads."""
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


class Found(NamedTuple):
    """What a search finds, and its working memory.

    rows: (k,) the rows found come first. lists: (PROBES,) the lists that are read. scores, read: (rows,) what is
    offered, and which row or list it is.
    """

    rows: NDArray[np.int32]
    lists: NDArray[np.int32]
    scores: Array
    read: NDArray[np.int32]


def room_to_find(k: int, rows: int) -> Found:
    """Allocate for the best k of at most this many rows."""
    return Found(
        np.zeros(k, np.int32),
        np.zeros(PROBES, np.int32),
        np.zeros(rows, np.float32),
        np.zeros(rows, np.int32),
    )


@kernel
def at_least(values: NDArray[Any], bar: Any) -> Any:
    """Return the number of values that are at least `bar`. values: (n,), fewer than 2^24.

    A float counts exactly so far. An integer would have 64 bits, and a vector half as many places for it.
    """
    reached = np.float32(0)
    for n in range(len(values)):
        reached += np.float32(1) if values[n] >= bar else np.float32(0)
    return reached


@kernel
def take_best(found: Found, offered: int, k: int, out: NDArray[np.int32]) -> int:
    """Write which of the offers have the k highest scores, in the order of the offers, and return their number.

    offered: the number of offers in `found`. out: (k or more,). A bar between the scores is found by bisection, which
    only counts and so needs no branches. Of equal scores at the bar the first are taken. A score of nan is not taken.
    """
    scores, read = found.scores[:offered], found.read
    low, high = np.float32(np.inf), np.float32(-np.inf)
    for n in range(offered):
        low, high = min(low, scores[n]), max(high, scores[n])
    between = k  # how many may be taken of those from `low` to below `high`
    while offered > k:
        middle = low + (high - low) * np.float32(0.5)
        if not low < middle < high:
            between = k - int(at_least(scores, high))
            break
        reached = at_least(scores, middle)
        if reached >= k:
            low = middle
        if reached <= k:
            high = middle
    taken = 0
    for n in range(offered):
        if scores[n] >= low and taken < k:
            sure = scores[n] >= high
            if sure or between > 0:
                out[taken] = read[n]
                taken += 1
                between -= not sure
    return taken


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
def offer_rows(query: Array, searched: Searched, found: Found, offered: int) -> int:
    """Offer the dot products of the loose rows but those not eligible, closed, or of a zero vector; return the offers.

    offered: the number of offers so far.
    """
    vectors, lists, eligible, closed, mark = searched
    scores, read = found.scores, found.read
    for row in lists.loose:
        if eligible[row] and closed[row] != mark:
            score = np.float32(0)
            for k in range(len(query)):
                score += query[k] * vectors[row, k]
            if score != 0:
                scores[offered], read[offered] = score, row
                offered += 1
    return offered


@kernel
def offer_members(query: Array, searched: Searched, which: int, found: Found, offered: int) -> int:
    """Offer the members of one list by their packed vectors, which lie side by side in memory; return the offers.

    which: the list. offered: the number of offers so far.
    """
    lists, eligible, closed, mark = searched.lists, searched.eligible, searched.closed, searched.mark
    members, packed, scale = lists.members, lists.packed, lists.scale
    scores, read = found.scores, found.read
    for place in range(lists.begin[which], lists.begin[which + 1]):
        row = members[place]
        if row != NONE and eligible[row] and closed[row] != mark:
            score = np.float32(0)
            for k in range(len(query)):
                score += query[k] * np.float32(packed[place, k])
            scores[offered], read[offered] = score * scale[place], row
            offered += 1
    return offered


@kernel
def nearest(query: Array, searched: Searched, found: Found) -> int:
    """Find the eligible rows with the highest `vectors · query`, and return their number.

    Members of lists are compared by their bytes, so their products are approximate. query: (dim,). found: written; the
    rows found come first, in no order.
    """
    centres = searched.lists.centres
    count, offered = len(centres), 0
    if count > 0:
        for n in range(count):
            score = np.float32(0)
            for k in range(len(query)):
                score += query[k] * centres[n, k]
            found.scores[n], found.read[n] = score, n
        probed = min(len(found.lists), count, max(PROBED, count // PROBED_SHARE))
        probed = take_best(found, count, probed, found.lists)
        for p in range(probed):
            offered = offer_members(query, searched, found.lists[p], found, offered)
    offered = offer_rows(query, searched, found, offered)
    return take_best(found, offered, len(found.rows), found.rows)
