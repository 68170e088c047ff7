"""Compute candidates and their columns in plain numpy, for one user. The kernels must agree."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.ranking.ranker import Ranker
from models.signals.covisit_scores import OWN_SIGNALS, SIGNALS
from models.signals.item_statistics import ItemStatistics
from models.tables.decayed_counts import DAY, EVER, HALF_LIVES
from tests.support.plain.user_experience import log_density

LATEST, SEQUENCE, FADE, TOP, FEWEST = 20, 10, 0.8, 30, 100
PROPOSING = [0, 1, 2, 3, 4, 5, 6, 9]
CLOSE = 0.002
"""Co-visit sums are compared to one part in 2,000."""
Array = NDArray[np.float64]


class Who(NamedTuple):
    """A user who is ranked for. recent: (domain, row), newest first. vector, network: in the network's space."""

    recent: list[tuple[int, int]]
    events: int
    time: float
    vector: NDArray[np.float32]
    network: NDArray[np.float32]


def covisits(
    statistics: ItemStatistics, domain: int, who: Who, eligible: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return (rows, 10): the sums of each item, in the order of the layout."""
    visits, own = statistics.visits, 0
    growth = visits.growth(float(statistics.shared_clock(np.array([who.time]))[0]))
    sums = np.zeros((len(eligible), 10))
    for k, (d, row) in enumerate(who.recent):
        mine = d == domain
        if k < LATEST or (mine and own < LATEST):
            count = statistics.popularity[d].values(np.array([row]), 0.0)[0, EVER]
            base = 10.0 / np.sqrt(max(count, 1.0))
            f = base * FADE**k * (k < SEQUENCE)
            g = base * FADE**own * (mine and own < SEQUENCE)
            _, rows, weights = visits.neighbours(domain, visits.slots(d, np.array([row])), eligible)
            after, after60, before, with_, with30 = (weights / growth).T
            parts = [f * after, f * after60, f * before, mine * base * with_, (not mine) * base * with_,
                     base * with30, g * after, g * after60, g * before, mine * base * with30]  # fmt: skip
            np.add.at(sums, rows, np.stack(parts, 1))
        own += mine
    ever = statistics.popularity[domain].values(np.arange(len(eligible)), 0.0)[:, EVER]
    sums[:, 3:5] *= 2.0 / np.sqrt(np.maximum(ever, 1.0))[:, None]
    return sums


def profile(ranker: Ranker, who: Who) -> Array:
    total = np.zeros(ranker.catalogues[0].dim)
    for k, (d, row) in enumerate(who.recent):
        total += FADE**k * ranker.catalogues[d].directions.units[row]
    return total / max(np.linalg.norm(total), 1e-12)


def text(ranker: Ranker, domain: int, who: Who, rows: NDArray[np.int64]) -> Array:
    """Return (3, C): cosine with the profile, with the nearest own item, with the own items' fading mean."""
    units = ranker.catalogues[domain].directions.units.astype(np.float64)
    latest = [row for d, row in who.recent if d == domain][:LATEST]
    columns, told = np.zeros((3, len(rows))), profile(ranker, who)
    columns[0] = units[rows] @ told
    if latest and told.any():
        mean = FADE ** np.arange(len(latest)) @ units[latest]
        columns[1] = (units[rows] @ units[latest].T).max(1)
        columns[2] = units[rows] @ mean / max(np.linalg.norm(mean), 1e-12)
    return columns


def columns(
    ranker: Ranker, domain: int, who: Who, rows: NDArray[np.int64], eligible: NDArray[np.bool_]
) -> dict[str, Array]:
    """Return the columns that have a plain rule, (C,) each, by name."""
    statistics = ranker.statistics
    popularity, experience = statistics.popularity[domain], statistics.experience[domain]
    demand = np.log1p(10 * popularity.values(rows, who.time)).T
    visited = np.log1p(covisits(statistics, domain, who, eligible)[rows]).T
    stage = log_density(experience.moments[rows], experience.total, who.events)
    days = np.maximum(max(who.time, popularity.newest) - popularity.first[rows], 0.0) / DAY
    age = np.where(popularity.counts[rows, EVER] > 0, 1.0 + np.log1p(days), 0.0)
    affinity = np.zeros(len(rows))
    if len(who.network):
        dots = who.network[rows].astype(np.float64) @ who.vector
        affinity = (dots - dots.mean()) / (dots.std() + 1e-9)
    return {
        **{f"popularity_{name}": column for name, column in zip(HALF_LIVES, demand, strict=True)},
        **dict(zip((*SIGNALS, *OWN_SIGNALS), visited, strict=True)),
        **dict(zip(("text", "text_nearest", "text_own"), text(ranker, domain, who, rows), strict=True)),
        "stage": stage,
        "age": age,
        "affinity": affinity,
    }


def candidates(
    ranker: Ranker, domain: int, who: Who, eligible: NDArray[np.bool_]
) -> tuple[set[int], set[int]]:
    """Return the rows that must be candidates, and those that may be, before the set is filled up."""
    must, may = set[int](), set[int]()
    for name in HALF_LIVES:
        top = ranker.statistics.popularity[domain].top(name)
        must.update(top[eligible[top]][:TOP].tolist())
    for kind in PROPOSING:
        sums = covisits(ranker.statistics, domain, who, eligible)[:, kind]
        bar = np.sort(sums)[::-1][TOP - 1] if len(sums) >= TOP else 0.0
        must.update(np.flatnonzero((sums > 0) & (sums > bar * (1 + CLOSE))).tolist())
        may.update(np.flatnonzero((sums > 0) & (sums >= bar * (1 - CLOSE))).tolist())
    units, told = ranker.catalogues[domain].directions.units, profile(ranker, who)
    if told.any():
        must.update(_highest(units[: len(eligible)] @ told, eligible))
    if len(who.network):
        must.update(_highest(who.network @ who.vector, eligible))
    return must, must | may


def _highest(scores: Array, eligible: NDArray[np.bool_]) -> list[int]:
    rows = np.flatnonzero(eligible & (scores != 0))
    best: list[int] = rows[np.argsort(-scores[rows])[:TOP]].tolist()
    return best
