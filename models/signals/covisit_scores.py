"""What a user's latest items point to: co-visit counts spread over a domain's items."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.signals.covisitation import KINDS, CoVisitation
from models.signals.popularity import Popularity
from models.signals.signal import Column, Query, Signal
from models.tables.user_history import Recent

SIGNALS = {
    "sequence": "next",
    "sequence_60d": "next_60d",
    "sequence_reversed": "previous",
    "co_visitation": "with",
    "co_visitation_sources": "with",
    "co_visitation_30d": "with_30d",
}
"""Signal: the kind of co-visit count it spreads."""
COLUMNS = np.array([KINDS.index(kind) for kind in SIGNALS.values()])
SEQUENCE = np.array([name.startswith("sequence") for name in SIGNALS])
OWN, SOURCES = (list(SIGNALS).index(name) for name in ("co_visitation", "co_visitation_sources"))

LATEST = 20
"""How many of the user's latest items count; a sequence goes on from the last 10 of them."""
FADING = np.where(np.arange(LATEST) < 10, 0.8 ** np.arange(LATEST), 0.0)
"""(20,): weight of each in a sequence, latest first."""
SCALE = 10.0
"""Brings the usual sums to the order of one."""


class CovisitScores(NamedTuple):
    """rows: (U,) ascending item rows; sums: (signals, U) float64, one row for each of `SIGNALS`."""

    rows: NDArray[np.int64]
    sums: NDArray[np.float64]


def spread(
    visits: CoVisitation,
    popularity: list[Popularity],
    recent: Recent,
    domain: int,
    open_: NDArray[np.bool_],
    time: float,
) -> CovisitScores:
    """Score the open items of a domain that were co-visited with the user's latest.

    `10 · Σ_j a_j count(j → i) / √n_j` over the latest items j, n their numbers of events. For sequences a_j fades
    by 0.8 an item. `co_visitation` (j of this domain) and `co_visitation_sources` (j of the others) are cosines:
    they divide by √n_i too.
    """
    back, own = np.arange(len(recent.row))[::-1], recent.domain == domain
    # other domains' items do not push a user's own ones out
    kept = (back < LATEST) | (own & (np.cumsum(own[::-1])[::-1] <= LATEST))
    domains, latest, back = recent.domain[kept], recent.row[kept], np.minimum(back[kept], LATEST - 1)
    at, rows, weights = visits.neighbours(domain, visits.slots_of(domains, latest), open_)
    marked = np.zeros(len(open_), np.bool_)
    marked[rows] = True
    found = np.flatnonzero(marked)
    index = np.empty(len(open_), np.int64)
    index[found] = np.arange(len(found))
    inside = index[rows]

    counts = np.empty(len(latest))
    for other, held in enumerate(popularity):
        here = domains == other
        counts[here] = held.counts_ever(latest[here])
    share = np.where(SEQUENCE, FADING[back][:, None], 1.0)
    share[domains != domain, OWN] = share[domains == domain, SOURCES] = 0.0
    share *= SCALE / np.sqrt(counts)[:, None]
    share = (share / visits.growth(time)[COLUMNS]).T
    sums = np.empty((len(SIGNALS), len(found)))
    for signal, (kind, part) in enumerate(zip(COLUMNS, share, strict=True)):
        sums[signal] = np.bincount(inside, weights[:, kind] * part[at], minlength=len(found))
    sums[[OWN, SOURCES]] *= 2.0 / np.sqrt(popularity[domain].counts_ever(found))
    return CovisitScores(found, sums)


def log_covisits(query: Query) -> NDArray[np.float64]:
    """(C, 6): `log(1 + sum)` of each candidate, 0 for one that was not visited with the user's latest items."""
    rows, sums = query.covisits
    if not len(rows):
        return np.zeros((len(query.rows), len(SIGNALS)))
    place = np.minimum(np.searchsorted(rows, query.rows), len(rows) - 1)
    return np.where((rows[place] == query.rows)[:, None], np.log1p(sums[:, place].T), 0.0)


_PRIOR = {"sequence": 0.5, "co_visitation_30d": 0.3}
SIGNAL = Signal(
    tuple(Column(name, (0.1, 0.7, 1.4, 2.2), _PRIOR.get(name, 0.0), ranks_alone=True) for name in SIGNALS),
    log_covisits,
)
