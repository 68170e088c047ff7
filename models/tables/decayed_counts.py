"""Count events of items with forward decay at several half-lives, and keep the top lists in order: the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel

DAY = 86400.0
TIMES = {"1d": DAY, "3d": 3 * DAY, "30d": 30 * DAY, "ever": np.inf}
EVENTS = {"1000_events": 1000.0}
"""Half-lives in events of the domain, which follow the traffic instead of the calendar."""
HALF_LIVES = {**TIMES, **EVENTS}
EVER = list(HALF_LIVES).index("ever")
BY_EVENTS = list(HALF_LIVES).index("1000_events")
RATES = np.log(2.0) / np.array(list(HALF_LIVES.values()))
"""(half-lives,): decay a second, or an event for `EVENTS`."""
TOP = 512
REBASE = 300.0
"""Exponent of the growth after which counts are rescaled. e^300 is well inside float64."""
START, NEWEST, SEEN, SEEN_START, KNOWN, HELD = range(6)
"""Places in `Popularity.clock`: start and newest time (seconds), events so far and at the start, items with an event,
entries of the top lists."""


@kernel
def growth(clock: NDArray[np.float64], time: float, half_life: int) -> Any:
    """Return the weight of an event now relative to one at the start, `exp((t - t_0) ln 2 / half-life)`.

    clock: (6,) `Popularity.clock`. time: seconds; a time before the newest event counts as the newest.
    """
    if half_life == BY_EVENTS:
        return np.exp(RATES[half_life] * (clock[SEEN] - clock[SEEN_START]))
    return np.exp(RATES[half_life] * max(max(time, clock[NEWEST]) - clock[START], 0.0))


@kernel
def rebase(counts: NDArray[np.float64], clock: NDArray[np.float64], time: float) -> None:
    """Make `time` the start if the growth has become too large. Decayed counts `c = C / growth` keep their values.

    counts: (rows, half-lives). clock: (6,) `Popularity.clock`. time: seconds.
    """
    far = RATES[0] * (max(time, clock[NEWEST]) - clock[START]) > REBASE
    if not far and RATES[BY_EVENTS] * (clock[SEEN] - clock[SEEN_START]) <= REBASE:
        return
    for half_life in range(counts.shape[1]):
        shrink = 1.0 / growth(clock, time, half_life)
        for row in range(len(counts)):
            counts[row, half_life] *= shrink
    clock[START], clock[SEEN_START] = max(time, clock[NEWEST]), clock[SEEN]


@kernel
def promote(top: NDArray[np.int32], held: Any, counts: NDArray[np.float64], half_life: int, row: int) -> None:
    """Move `row`, whose count has just risen, to its place in a list sorted by falling count.

    Among equals the latest is first. top: (TOP,) rows, `held` of them in use. counts: (rows, half-lives).
    """
    count = counts[row, half_life]
    at = -1
    for place in range(held):  # most events are of items near the top
        if top[place] == row:
            at = place
            break
    if at < 0:
        at = held - 1
        if counts[top[at], half_life] > count:
            return
    while at > 0 and counts[top[at - 1], half_life] <= count:
        top[at] = top[at - 1]
        at -= 1
    top[at] = row


@kernel
def fold(counts: NDArray[np.float64], first: NDArray[np.float64], clock: NDArray[np.float64],
         top: NDArray[np.int32], rows: NDArray[np.int64], events: NDArray[np.float64]) -> None:  # fmt: skip
    """Count events in their order: `C_i += w growth(t)` at every half-life.

    counts: (rows, half-lives). first: (rows,) seconds. top: (half-lives, TOP), or (half-lives, 0) without top lists.
    rows: (n,) the events' items. events: (2, n) their times in seconds, and how many events each counts as.
    """
    for n in range(len(rows)):
        row, time, weight = rows[n], events[0, n], events[1, n]
        if clock[SEEN] == 0:
            clock[START] = clock[NEWEST] = time
        rebase(counts, clock, time)
        clock[NEWEST] = max(clock[NEWEST], time)
        clock[SEEN] += weight
        if counts[row, EVER] == 0:
            first[row] = time
            clock[KNOWN] += 1
            if clock[HELD] < top.shape[1]:
                top[:, np.int64(clock[HELD])] = row
                clock[HELD] += 1
        for half_life in range(counts.shape[1]):
            counts[row, half_life] += weight * growth(clock, time, half_life)
            if clock[HELD] > 0:
                promote(top[half_life], np.int64(clock[HELD]), counts, half_life, row)


@kernel
def demote(top: NDArray[np.int32], held: Any, counts: NDArray[np.float64], half_life: int, row: int) -> None:
    """Move `row`, whose count has just fallen, to its place in a list sorted by falling count.

    It stays on a full list, although an item that is not listed may have a higher count until that item's next event.
    """
    at = -1
    for place in range(held):
        if top[place] == row:
            at = place
    while 0 <= at < held - 1 and counts[top[at + 1], half_life] > counts[row, half_life]:
        top[at], top[at + 1] = top[at + 1], row
        at += 1


@kernel
def lower(counts: NDArray[np.float64], clock: NDArray[np.float64], top: NDArray[np.int32],
          rows: NDArray[np.int64], weights: NDArray[np.float64]) -> None:  # fmt: skip
    """Count skips in their order: `C_i ← C_i c_i / (c_i + w)` at every half-life, with the count c_i of now.

    A count falls by less than w, and never to 0. An item without events stays as it is. Shapes as in `fold`.
    """
    for n in range(len(rows)):
        row = rows[n]
        if counts[row, EVER] == 0:
            continue
        for half_life in range(counts.shape[1]):
            now = counts[row, half_life] / growth(clock, clock[NEWEST], half_life)
            if now > 0:
                counts[row, half_life] *= now / (now + weights[n])
            if clock[HELD] > 0:
                demote(top[half_life], np.int64(clock[HELD]), counts, half_life, row)
