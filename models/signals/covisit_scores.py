"""What a user's latest items point to: co-visit counts spread over a domain's items."""

from __future__ import annotations

import numpy as np

from models.kernels import kernel
from models.signals.covisitation import MOST, NEXT, NEXT_60D, PREVIOUS, RATES, WITH, WITH_30D
from models.signals.popularity import EVER
from models.signals.signal import Asked, Column, Columns, Items, Scratch, Visits

LATEST = 20
"""How many of the user's latest items count."""
SEQUENCE = 10
"""A sequence goes on from so many of them."""
FADE = np.float32(0.8)
"""Weight of the k-th latest item in a sequence: FADE^(k-1)."""
SCALE = np.float32(10)
"""Brings the usual sums to the order of one."""
SIGNALS = (
    "sequence",
    "sequence_60d",
    "sequence_reversed",
    "co_visitation",
    "co_visitation_sources",
    "co_visitation_30d",
)
OWN_SIGNALS = ("own_sequence", "own_sequence_60d", "own_sequence_reversed", "own_co_visitation_30d")
"""As the first three and the last, over latest items of the ranked domain only: what a target knows without sources."""
SUMS = len(SIGNALS) + len(OWN_SIGNALS)
OTHER_DOMAIN = np.int64(0)


@kernel
def spread(event: int, asked: Asked, items: Items, visits: Visits, scratch: Scratch) -> int:
    """Add up co-visits of the open items with the user's latest ones in `scratch.sums`; return how many were met.

    `10 · Σ_j a_j count(j → i) / √n_j` over the latest items j, n their numbers of events. For sequences a_j fades by 0.8
    an item. `co_visitation` (j of this domain) and `co_visitation_sources` (j of the others) are cosines: they divide by
    √n_i too. Other domains' items do not push a user's own ones out of the latest 20.
    """
    mark, sums, touched, epoch = scratch.mark, scratch.sums, scratch.touched, scratch.epoch[0]
    passed = 0.0 if np.isnan(visits.start) else asked.shared_time[event] - visits.start
    sixty = np.float32(np.exp(-min(RATES[NEXT_60D] * passed, MOST)))
    thirty = np.float32(np.exp(-min(RATES[WITH_30D] * passed, MOST)))
    met, own, fade, own_fade = 0, 0, np.float32(1), np.float32(1)
    for k in range(asked.recent_n[event]):
        mine = asked.recent_own[event, k]
        slot = asked.recent_slot[event, k]
        if slot >= 0 and (k < LATEST or (mine and own < LATEST)):
            base = SCALE / np.sqrt(asked.recent_count[event, k])
            f = base * fade if k < SEQUENCE else np.float32(0)
            g = base * own_fade if mine and own < SEQUENCE else np.float32(0)
            f60, g60, own30 = f * sixty, g * sixty, base * thirty if mine else np.float32(0)
            all30 = base * thirty
            with_own = base if mine else np.float32(0)
            with_other = np.float32(0) if mine else base
            first = visits.begin[slot]
            for place in range(first, first + visits.room[slot]):
                neighbour = visits.ids[place]
                if neighbour < 0:
                    continue
                at = mark[neighbour]
                if at >> 32 != epoch:
                    row = visits.row_of[neighbour]
                    if (
                        visits.domain_of[neighbour] != visits.domain
                        or not items.open[row]
                        or scratch.stamp[row] == 2 * epoch
                    ):
                        mark[neighbour] = (epoch << 32) | OTHER_DOMAIN
                        continue
                    touched[met] = row
                    scratch.place[row] = (epoch << 32) | met
                    for n in range(SUMS):
                        sums[met, n] = 0
                    met += 1
                    at = (epoch << 32) | met
                    mark[neighbour] = at
                if at & 0xFFFFFFFF == OTHER_DOMAIN:
                    continue
                p = (at & 0xFFFFFFFF) - 1
                # Every load stands before the first store: a store might change what is loaded after it.
                next_, next60 = visits.weights[place, NEXT], visits.weights[place, NEXT_60D]
                previous, with_ = visits.weights[place, PREVIOUS], visits.weights[place, WITH]
                with30 = visits.weights[place, WITH_30D]
                s0, s1, s2 = sums[p, 0] + f * next_, sums[p, 1] + f60 * next60, sums[p, 2] + f * previous
                s3, s4, s5 = (
                    sums[p, 3] + with_own * with_,
                    sums[p, 4] + with_other * with_,
                    sums[p, 5] + all30 * with30,
                )
                s6, s7, s8 = sums[p, 6] + g * next_, sums[p, 7] + g60 * next60, sums[p, 8] + g * previous
                s9 = sums[p, 9] + own30 * with30
                sums[p, 0], sums[p, 1], sums[p, 2], sums[p, 3], sums[p, 4] = s0, s1, s2, s3, s4
                sums[p, 5], sums[p, 6], sums[p, 7], sums[p, 8], sums[p, 9] = s5, s6, s7, s8, s9
        fade *= FADE
        if mine:
            own += 1
            own_fade *= FADE
    for p in range(met):
        cosine = np.float32(2) / np.sqrt(np.float32(max(items.counts[touched[p], EVER], 1.0)))
        sums[p, 3] *= cosine
        sums[p, 4] *= cosine
    return met


@kernel
def covisit_sums(columns: Columns, column: int) -> None:
    """Fill the sums of each candidate, 0 for one that was not visited with the latest items; `log1p` follows."""
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
