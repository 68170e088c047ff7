"""Score items by how often users have them together with this user's latest items."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.signals.covisitation import MOST, NEXT, NEXT_60D, PREVIOUS, RATES, WITH, WITH_30D
from models.signals.signal import Asked, Column, Columns, Items, Scratch, Visits
from models.tables.decayed_counts import EVER

LATEST = 20
"""The number of the user's latest items that count."""
SEQUENCE = 10
"""The number of latest items that count for the sequence signals."""
FADE = np.float32(0.8)
"""Weight of the k-th latest item in a sequence: FADE^(k-1)."""
SCALE = np.float32(10)
"""Factor that brings typical sums to the order of one."""
SIGNALS = (
    "sequence",
    "sequence_60d",
    "sequence_reversed",
    "co_visitation",
    "co_visitation_sources",
    "co_visitation_30d",
)
OWN_SIGNALS = ("own_sequence", "own_sequence_60d", "own_sequence_reversed", "own_co_visitation_30d")
"""The first three signals and the last, over latest items of the ranked domain only: what a target knows by itself."""
SUMS = len(SIGNALS) + len(OWN_SIGNALS)


class Shares(NamedTuple):
    """The weight of each kind of count of one latest item j: `a_j / √n_j` times the decay."""

    sequence: Any
    sequence_60d: Any
    own: Any
    sources: Any
    all_30d: Any
    own_sequence: Any
    own_sequence_60d: Any
    own_30d: Any


@kernel
def add_list(
    slot: int, share: Shares, met: int, eligible: NDArray[np.bool_], visits: Visits, scratch: Scratch
) -> int:
    """Add one latest item's counts to the sums of its neighbours.

    slot: the latest item's. met: the number of sums so far. eligible: (rows,) items that may be recommended. Return the
    new number of sums. This calls no other kernel for a neighbour: a call would count references to every array of the
    tuples.
    """
    mark, touched, sums, epoch = scratch.mark, scratch.touched, scratch.sums, scratch.epoch[0]
    ids, weights, first = visits.ids, visits.weights, visits.begin[slot]
    domain_of, row_of, domain, stamp = visits.domain_of, visits.row_of, visits.domain, scratch.stamp
    for place in range(first, first + visits.room[slot]):
        neighbour = ids[place]
        # Most neighbours are of other domains. One byte tells so, and those bytes stay in the cache.
        if neighbour < 0 or domain_of[neighbour] != domain:
            continue
        at = mark[neighbour]
        if at >> 32 != epoch:
            row = row_of[neighbour]
            if eligible[row] and stamp[row] != 2 * epoch:
                scratch.place[row] = (epoch << 32) | met
                touched[met] = row
                for n in range(SUMS):
                    sums[met, n] = 0
                met += 1
                at = (epoch << 32) | met
            else:
                at = epoch << 32
            mark[neighbour] = at
        p = (at & 0xFFFFFFFF) - 1
        if p < 0:
            continue
        # All loads come before the first store, so that the compiler may reorder them.
        next_, next60, previous = weights[place, NEXT], weights[place, NEXT_60D], weights[place, PREVIOUS]
        with_, with30 = weights[place, WITH], weights[place, WITH_30D]
        s0, s1 = sums[p, 0] + share.sequence * next_, sums[p, 1] + share.sequence_60d * next60
        s2, s3 = sums[p, 2] + share.sequence * previous, sums[p, 3] + share.own * with_
        s4, s5 = sums[p, 4] + share.sources * with_, sums[p, 5] + share.all_30d * with30
        sums[p, 0], sums[p, 1], sums[p, 2], sums[p, 3], sums[p, 4], sums[p, 5] = s0, s1, s2, s3, s4, s5
        if not visits.compare:
            continue
        s6, s7 = sums[p, 6] + share.own_sequence * next_, sums[p, 7] + share.own_sequence_60d * next60
        s8, s9 = sums[p, 8] + share.own_sequence * previous, sums[p, 9] + share.own_30d * with30
        sums[p, 6], sums[p, 7], sums[p, 8], sums[p, 9] = s6, s7, s8, s9
    return met


@kernel
def sum_covisits(event: int, asked: Asked, items: Items, visits: Visits, scratch: Scratch) -> Any:
    """Add up, in `scratch.sums`, the co-visits of eligible items with the user's latest items.

    The sum of item i is `10 · Σ_j a_j count(j → i) / √n_j` over the latest items j, where n_j is the number of events
    of j. For the sequence signals a_j falls by the factor 0.8 an item. `co_visitation` (j of this domain) and
    `co_visitation_sources` (j of the other domains) are cosines: they also divide by √n_i. The latest 20 items of the
    ranked domain count even if items of other domains are newer. Return the number of items with a sum.
    """
    none, sums = np.float32(0), scratch.sums
    passed = 0.0 if np.isnan(visits.start) else asked.shared_time[event] - visits.start
    sixty = np.float32(np.exp(-min(RATES[NEXT_60D] * passed, MOST)))
    thirty = np.float32(np.exp(-min(RATES[WITH_30D] * passed, MOST)))
    met, own, fade, own_fade = 0, 0, np.float32(1), np.float32(1)
    for k in range(asked.recent_n[event]):
        mine, slot = asked.recent_own[event, k], asked.recent_slot[event, k]
        if slot >= 0 and (k < LATEST or (mine and own < LATEST)):
            base = SCALE / np.sqrt(asked.recent_count[event, k])
            f = base * fade if k < SEQUENCE else none
            g = base * own_fade if mine and own < SEQUENCE else none
            with_own, with_sources = (base, none) if mine else (none, base)
            share = Shares(
                f, f * sixty, with_own, with_sources, base * thirty, g, g * sixty, with_own * thirty
            )
            met = add_list(slot, share, met, items.open, visits, scratch)
        fade *= FADE
        if mine:
            own += 1
            own_fade *= FADE
    for p in range(met):
        cosine = np.float32(2) / np.sqrt(np.float32(max(items.counts[scratch.touched[p], EVER], 1.0)))
        sums[p, 3] *= cosine
        sums[p, 4] *= cosine
    return met


@kernel
def covisit_sums(columns: Columns, column: int) -> None:
    """Fill the sums of each candidate, 0 for an item that was never visited with a latest one. `log1p` follows."""
    scratch, values = columns.scratch, columns.values
    for c in range(columns.size):
        place = scratch.place[columns.rows[c]]
        met = place >> 32 == scratch.epoch[0]
        at = place & 0xFFFFFFFF if met else 0
        for n in range(SUMS):
            values[column + n, c] = scratch.sums[at, n] if met else np.float32(0)


_PRIOR = {"sequence": 0.5, "co_visitation_30d": 0.3}
COLUMNS = tuple(Column(name, (0.1, 0.7, 1.4, 2.2), _PRIOR.get(name, 0.0), log=True) for name in SIGNALS)
OWN_COLUMNS = tuple(
    Column(name, (0.1, 0.7, 1.4, 2.2), _PRIOR.get(name.removeprefix("own_"), 0.0), log=True)
    for name in OWN_SIGNALS
)
