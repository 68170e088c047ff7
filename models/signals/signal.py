"""Define a ranking signal: named columns, and one kernel that fills them for a user's candidates.

Functions under `@kernel` find the fields of these tuples by position, so a change here has to compile them again. The
hash of their sources covers every file that contains that word: keep it here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.text.nearest import Found, Lists

Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]


class Column(NamedTuple):
    """One number of each candidate. The ranker learns a slope for it between each two knots.

    knots: ascending values where the slope may change. prior: the weight before the first event. log: whether the
    signal fills in y ≥ 0 and `log(1 + y)` counts.
    """

    name: str
    knots: tuple[float, float, float, float]
    prior: float = 0.0
    log: bool = False


class Asked(NamedTuple):
    """What the ranker knows of the users of B questions, with R latest items each. A question is an event or a list.

    user, item: (B,) rows, -1 for none. time: (B,) seconds, by the domain's clock. shared_time: (B,) seconds, by the
    clock of all domains. events: (B,) the user's events in the domain. gap: (B,) seconds since the user's last event in
    any domain, -1 without one. Latest items, newest first, (B, R) each: recent_own, whether the item is of the domain;
    recent_row, its row; recent_slot, its co-visit slot, -1 for none; recent_weight, that of the user's event on it, see
    `EventWeights`; recent_count, its events, at least 1, over the square of that weight, so that 1/√count carries the
    weight. recent_n: (B,) the number of latest items. profile: (B, dim) the direction of their texts, zeros without
    text. vector: (B, D) the user in the network's space. seen: hashes of the items that users had in the domain; those
    of question b lie from seen_at[b] to seen_at[b + 1]. worth: (B,) how many choices the event counts as, below 0 for a
    skip.
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
    worth: Float32s
    recent_weight: Float32s


class Items(NamedTuple):
    """What the ranker knows of one domain's items, by row. It does not change while questions are answered.

    open: (rows,) whether the item may be recommended. units: (rows, dim) text directions; text: their index. network:
    (rows, D) vectors; near: their index. counts, first, clock, top: of `Popularity`. moments, total: of
    `UserExperience`. hashes, hash_rows: of `HashIndex`.
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
    """The co-visit lists of all domains, see `CoVisitation` and `NeighbourLists`.

    domain: the ranked domain. compare: whether the sums over its own latest items are needed too.
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
    """Working memory of one thread. An entry holds for the present question only if it carries its number, `epoch[0]`.

    mark: (slots,) epoch · 2^32 + 1 + place in `sums`, or epoch · 2^32 for a slot that does not count. place: (rows,)
    epoch · 2^32 + place in `sums`. stamp: (rows,) 2 · epoch for an item that the user had, 2 · epoch + 1 for a
    candidate. sums: (room, kinds) co-visit sums of the rows `touched`, (room,). keys: (kinds, room) the bits of sums
    that propose items. own: (21, dim) text directions of the user's own latest items, then of their mean. found: by
    `nearest`. scores: (candidates,).
    """

    epoch: Int64s
    mark: Int64s
    place: Int64s
    stamp: Int32s
    sums: Float32s
    touched: Int32s
    keys: Int32s
    own: Float32s
    found: Found
    scores: Float32s


class Columns(NamedTuple):
    """The candidates of one question and the columns to fill.

    values: (columns, room), to be filled for the first `size` candidates. rows: (room,) item rows of the candidates.
    event: the place of the question in `asked`.
    """

    values: Float32s
    rows: Int32s
    size: int
    event: int
    asked: Asked
    items: Items
    visits: Visits
    scratch: Scratch
