"""Make lists with known appeal and examination, and logs of one policy with the truth of another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.exposure.off_policy import Lists, add_exposures, rare_share
from models.exposure.plackett_luce import draw, pool_of

Floats = NDArray[np.float64]

CURVE = np.arange(1.0, 11.0) ** -0.7
FOLD = np.where(np.arange(1, 21) <= 6, 1.0, 0.3) * np.arange(1.0, 21.0) ** -0.2
"""Few look below the sixth rank."""
DRAWS, CANDIDATES, SHARE, BASE = 10, 30, 0.1, -2.5


class World(NamedTuple):
    """The candidates of one list. scores: of a ranker. appeal: the probability of a click if examined."""

    scores: Floats
    new: NDArray[np.bool_]
    appeal: Floats


def make_world(rng: np.random.Generator, items: int, base: float) -> World:
    """Make candidates whose score tells a part of their appeal. base: log odds of the mean item."""
    scores = 0.25 * rng.standard_normal(items)
    odds = base + scores + 0.6 * rng.standard_normal(items)
    return World(scores, rng.random(items) < 0.2, 1 / (1 + np.exp(-odds)))


def clicks_on(rng: np.random.Generator, appeal: Floats, theta: Floats) -> NDArray[np.bool_]:
    """Draw clicks. Both (places,)."""
    return rng.random(len(appeal)) < theta * appeal


class Policy(NamedTuple):
    """A way of ranking. different: 0 ranks as the logged policy does, 1 by a judgement of its own."""

    temperature: float
    different: float


class Judged(NamedTuple):
    """A log as the estimators take it. truth: clicks a list of the target. rare: see `rare_share`."""

    lists: Lists
    truth: float
    rare: float


def judged_log(rng: np.random.Generator, log: Policy, target: Policy, lists: int) -> Judged:
    """Show lists by one policy, and compute what the target's lists are worth."""
    places, users = len(CURVE), lists // 16
    habits, user = 0.5 * rng.standard_normal(users), rng.integers(0, users, lists)
    exposed = np.zeros((2, lists, CANDIDATES))
    shown = np.zeros((4, lists, places))
    value, truth = np.zeros(lists), 0.0
    order, p = np.zeros(places, np.int64), np.zeros(places)
    for n in range(lists):
        worth = 0.8 * rng.standard_normal(CANDIDATES)
        first, other = (0.5 * worth + 0.4 * rng.standard_normal(CANDIDATES) for _ in range(2))
        wanted = (1 - target.different) * first + target.different * other
        new = rng.random(CANDIDATES) < 0.1
        pools = pool_of(first, new, log.temperature), pool_of(wanted, new, target.temperature)
        for which, pool in enumerate(pools):
            add_exposures(pool, SHARE, CURVE, rng.random((DRAWS, 2, places)), exposed[which, n])
        draw(pools[0], SHARE, rng.random((2, places)), order, p)
        appeal = 1 / (1 + np.exp(-(BASE + worth + habits[user[n]])))
        crude = 1 / (1 + np.exp(-(BASE + wanted)))
        truth += float(exposed[1, n] @ appeal) / lists
        value[n] = exposed[1, n] @ crude
        ratio = exposed[1, n] / exposed[0, n]
        shown[:, n] = clicks_on(rng, appeal[order], CURVE), CURVE, ratio[order], crude[order]
    return Judged(Lists(*shown, value, user), truth, rare_share(exposed[1], exposed[0]))
