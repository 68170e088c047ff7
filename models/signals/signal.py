"""What a ranking signal is: named columns, and one compiled function that fills them for a user's candidates.

Functions under `@kernel` know the fields of these tuples by their place: this file counts in the hash of their sources.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.text.nearest import Best, Lists

Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]


class Column(NamedTuple):
    """One number a candidate. The ranker learns how much it counts, separately between its knots.

    knots: ascending values where the slope may change. prior: the weight before the first event. log: the signal fills
    in y ≥ 0, and `log(1 + y)` is what counts.
    """

    name: str
    knots: tuple[float, float, float, float]
    prior: float = 0.0
    log: bool = False


class Asked(NamedTuple):
    """What is known of the users who are ranked for, one row a question (an event, or a list). B questions, R items.

    user, item: (B,) rows, -1 for none. time: (B,) by the domain's clock, shared_time by that of all domains, seconds.
    events: (B,) events of the user in the domain. gap: (B,) seconds since their last anywhere, -1 without one.
    recent_own: (B, R) whether a latest item is of the domain, newest first; recent_row its row, recent_slot its slot of
    co-visits (-1: none), recent_count its events (at least 1); recent_n: (B,) how many there are. profile: (B, dim)
    direction of their texts, zeros without. vector: (B, D) the user in the network's space. seen: hashes of the items
    that users had in the domain, those of question b from seen_at[b] to seen_at[b + 1].
    """

    user: Int64s
    item: Int64s
    time: Float64s
    shared_time: Float64s
    events: Int64s
    gap: Float64s
    recent_own: NDArray[np.bool_]
    recent_row: Int32s
    recent_slot: Int32s
    recent_count: Float32s
    recent_n: Int64s
    profile: Float32s
    vector: Float32s
    seen: Int64s
    seen_at: Int64s


class Items(NamedTuple):
    """What is known of one domain's items, by row; it stands still while questions are answered.

    open: may be recommended. units: (rows, dim) text directions, `text` their index. network: (rows, D) vectors, `near`
    their index. counts, first, clock, top: of `Popularity`. moments, total: of `UserExperience`. slot: 1 + the slot of
    co-visits. hashes, hash_rows: of `HashIndex`.
    """

    open: NDArray[np.bool_]
    units: Float32s
    text: Lists
    network: Float32s
    near: Lists
    counts: Float64s
    first: Float64s
    clock: Float64s
    top: Int32s
    moments: Float64s
    total: Float64s
    hashes: Int64s
    hash_rows: Int32s


class Visits(NamedTuple):
    """The lists of co-visits of all domains: see `CoVisitation`, `NeighbourLists`. domain: the one that is
    ranked. compare: whether its own latest items are summed up on their own, too.
    """

    ids: Int32s
    weights: Float32s
    begin: Int64s
    room: Int32s
    domain_of: NDArray[np.int8]
    row_of: Int32s
    start: float
    domain: int
    compare: bool


class Scratch(NamedTuple):
    """Room of one thread. Whatever carries the number of the question, `epoch[0]`, was written in it.

    mark: (slots,) epoch · 2^32 + 1 + place in `sums`, or + 0 for a slot that does not count. place: (rows,) epoch ·
    2^32 + place in `sums`. stamp: (rows,) 2 · epoch for an item that the user had, 2 · epoch + 1 for a candidate. sums:
    (room, kinds) co-visit sums of the rows `touched`; keys: (kinds, room) those of the proposing kinds as
    integers. own: (21, dim) texts of the
    user's own latest items. best, probes: room for `nearest`. scores: (candidates,).
    """

    epoch: Int64s
    mark: Int64s
    place: Int64s
    stamp: Int32s
    sums: Float32s
    touched: Int32s
    keys: Int32s
    own: Float32s
    best: Best
    probes: Best
    scores: Float32s


class Columns(NamedTuple):
    """The candidates of one question, and the columns to fill. values: (columns, room); rows: (room,) item rows.

    Only the first `size` candidates are filled. event: which question.
    """

    values: Float32s
    rows: Int32s
    size: int
    event: int
    asked: Asked
    items: Items
    visits: Visits
    scratch: Scratch
