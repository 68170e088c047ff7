"""Choose which items a ranking considers: the union of the top lists of several signals.

An item is *eligible* if it may be recommended and the user has not had it. `scratch.stamp` marks the rows of one
question by its epoch e: 2 e for an item that the user has had (closed), 2 e + 1 for a candidate.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.signals.covisit_scores import SIGNALS
from models.signals.signal import Asked, Items, Scratch
from models.tables.decayed_counts import EVER, HELD
from models.tables.hash_index import row_of
from models.text.nearest import Searched, at_least, dot, nearest

TOP_OF_EACH = 30
"""How many candidates each signal proposes."""
FEWEST = 100
"""The smallest number of candidates, unless fewer items are eligible."""
PROPOSING = np.array([*range(len(SIGNALS)), len(SIGNALS), len(SIGNALS) + 3])
"""Columns of the co-visit sums that propose items: all `SIGNALS`, then `own_sequence` and `own_co_visitation_30d`."""
ROOM = TOP_OF_EACH * (5 + len(PROPOSING) + 2) + FEWEST
"""Places for candidates: an upper bound of their number."""
BLOCK = 32
"""Values that are compared with a bar at once, without a branch."""
CLOSE = 1 << 16
"""Precision of a bar, in steps of a float's last place: one part in 128."""
STEEP = np.int32(6 << 23)
"""Bits of a factor of 2^6: the search for a bar first tries values within this factor of the highest."""


@kernel
def close_seen(event: int, asked: Asked, items: Items, scratch: Scratch) -> None:
    """Stamp the items that the user has had in the domain, so that they do not become candidates."""
    for n in range(asked.seen_at[event], asked.seen_at[event + 1]):
        row = row_of(items.hashes, items.hash_rows, asked.seen[n])
        if row >= 0:
            scratch.stamp[row] = 2 * scratch.epoch[0]


@kernel
def take(row: int, rows: NDArray[np.int32], count: int, eligible: NDArray[np.bool_], stamp: NDArray[np.int32],
         closed: int) -> int:  # fmt: skip
    """Add a row if it is eligible and not yet a candidate, and return the number of candidates.

    rows: (ROOM,) the candidates so far, `count` of them. closed: the stamp of items that the user has had. This runs
    for every candidate, so it takes two arrays instead of the tuples that hold them.
    """
    if not eligible[row] or stamp[row] == closed or stamp[row] == closed + 1:
        return count
    stamp[row] = closed + 1
    rows[count] = row
    return count + 1


@kernel
def bar_of(values: NDArray[np.int32], k: int) -> tuple[Any, Any]:
    """Return two bars (low, high) around the k-th highest value, by bisection.

    At most k values reach `high`. At least k reach `low`; if fewer than k are positive, all positive ones do. values:
    (n,) the bits of non-negative floats, which sort like the floats. Bisection only counts, which needs no branches.
    """
    highest = np.int32(0)
    for n in range(len(values)):
        highest = max(highest, values[n])
    high = highest + np.int32(1)
    low = max(np.int32(1), high - STEEP)
    if at_least(values, low) < k:
        high, low = low, np.int32(1)
    if at_least(values, low) <= k:
        return low, low
    while high - low > CLOSE:
        middle = low + (high - low) // np.int32(2)
        reached = at_least(values, middle)
        if reached >= k:
            low = middle
        else:
            high = middle
        if reached == k:
            return middle, middle
    return low, high


@kernel
def copy_keys(met: int, scratch: Scratch) -> None:
    """Copy the co-visit sums that propose items to `scratch.keys`, one row a kind, because each row is read often.

    met: the number of sums.
    """
    bits, keys = scratch.sums.view(np.int32), scratch.keys
    for n in range(met):
        for which in range(len(PROPOSING)):
            keys[which, n] = bits[n, PROPOSING[which]]


@kernel
def take_highest(
    keys: NDArray[np.int32], rows: NDArray[np.int32], count: int, items: Items, scratch: Scratch
) -> int:
    """Add the rows of the highest co-visit sums of one kind, and return the number of candidates. keys: (met,)."""
    touched, eligible, stamp, closed = scratch.touched, items.open, scratch.stamp, 2 * scratch.epoch[0]
    low, high = bar_of(keys, TOP_OF_EACH)  # both at least 1: a sum of 0 proposes nothing
    left = TOP_OF_EACH
    for first in range(0, len(keys), BLOCK):
        last = min(first + BLOCK, len(keys))
        if at_least(keys[first:last], high) == 0:
            continue
        for n in range(first, last):
            if keys[n] >= high:
                count = take(touched[n], rows, count, eligible, stamp, closed)
                left -= 1
    if low == high:
        return count
    for n in range(len(keys)):
        if left > 0 and low <= keys[n] < high:
            count = take(touched[n], rows, count, eligible, stamp, closed)
            left -= 1
    return count


@kernel
def take_popular(rows: NDArray[np.int32], count: int, items: Items, scratch: Scratch) -> int:
    """Add the first eligible rows of the top list of each half-life, and return the number of candidates.

    rows: (ROOM,) the candidates, `count` of them so far.
    """
    eligible, stamp, closed, top = items.open, scratch.stamp, 2 * scratch.epoch[0], items.top
    for half_life in range(top.shape[0]):
        found = 0
        for place in range(np.int64(items.clock[HELD])):
            row = top[half_life, place]
            if eligible[row] and stamp[row] != closed:
                count = take(row, rows, count, eligible, stamp, closed)
                found += 1
                if found == TOP_OF_EACH:
                    break
    return count


@kernel
def fill_up(rows: NDArray[np.int32], count: int, items: Items, scratch: Scratch) -> int:
    """Add the most popular items until there are `FEWEST` candidates, and return the number of candidates.

    rows: (ROOM,) the candidates, `count` of them so far.
    """
    eligible, stamp, closed = items.open, scratch.stamp, 2 * scratch.epoch[0]
    for place in range(np.int64(items.clock[HELD])):
        if count >= FEWEST:
            return count
        count = take(items.top[EVER, place], rows, count, eligible, stamp, closed)
    for row in range(items.text.size):
        if count >= FEWEST:
            return count
        count = take(row, rows, count, eligible, stamp, closed)
    return count


@kernel
def choose(
    event: int, met: int, asked: Asked, items: Items, scratch: Scratch, rows: NDArray[np.int32]
) -> int:
    """Write the candidates' item rows, and return their number.

    The set does not depend on the item that the user chose, which keeps the ranker's likelihood consistent. event: the
    place of the question in `asked`. met: the number of co-visit sums. rows: (ROOM,), written.
    """
    count = take_popular(rows, 0, items, scratch)
    copy_keys(met, scratch)
    for which in range(len(PROPOSING)):
        count = take_highest(scratch.keys[which, :met], rows, count, items, scratch)
    closed, found = 2 * scratch.epoch[0], scratch.found
    profile, vector = asked.profile[event], asked.vector[event]
    if dot(profile, profile) > 0:
        near = nearest(profile, Searched(items.units, items.text, items.open, scratch.stamp, closed), found)
        for n in range(near):
            count = take(found.rows[n], rows, count, items.open, scratch.stamp, closed)
    if len(items.network) > 0:
        near = nearest(vector, Searched(items.network, items.near, items.open, scratch.stamp, closed), found)
        for n in range(near):
            count = take(found.rows[n], rows, count, items.open, scratch.stamp, closed)
    return fill_up(rows, count, items, scratch) if count < FEWEST else count


class Added(NamedTuple):
    """Items that become candidates besides those that signals propose; at most 64 for a question.

    sure: (n, m) item rows for each question, -1 for none, even if they are not eligible; (0, 0) for none at all. new:
    (k,) item rows for every question, those that are eligible.
    """

    sure: NDArray[np.int32]
    new: NDArray[np.int32]


NOTHING = Added(np.zeros((0, 0), np.int32), np.zeros(0, np.int32))


@kernel
def take_added(
    n: int, added: Added, items: Items, scratch: Scratch, rows: NDArray[np.int32], count: int
) -> int:
    """Add what is added to the candidates of question n, and return the number of candidates. rows: (ROOM,)."""
    closed = 2 * scratch.epoch[0]
    for at in range(len(added.new)):
        count = take(added.new[at], rows, count, items.open, scratch.stamp, closed)
    if n < len(added.sure):
        for at in range(added.sure.shape[1]):
            row = added.sure[n, at]
            if row >= 0 and scratch.stamp[row] != closed + 1:
                scratch.stamp[row] = closed + 1
                rows[count] = row
                count += 1
    return count


@kernel
def place_of(rows: NDArray[np.int32], count: int, row: int) -> int:
    """Return the place of an item row among the candidates, (room,), or -1."""
    found = -1
    for c in range(count):
        if rows[c] == row:
            found = c
    return found


@kernel
def write_top(
    rows: NDArray[np.int32], scores: NDArray[np.float32], count: int, out: NDArray[np.int32]
) -> None:
    """Write the rows of the highest scores to `out`, (k,), highest first, then -1. Equals keep their order."""
    held = 0
    best = np.zeros(len(out), np.float32)
    out[:] = -1
    for c in range(count):
        if held == len(out) and scores[c] <= best[held - 1]:
            continue
        at = min(held, len(out) - 1)
        while at > 0 and best[at - 1] < scores[c]:
            best[at], out[at] = best[at - 1], out[at - 1]
            at -= 1
        best[at], out[at] = scores[c], rows[c]
        held = min(held + 1, len(out))
