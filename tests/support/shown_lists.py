"""Make lists with known appeal and examination."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.exposure.examination import RANKS, Examination
from models.exposure.plackett_luce import draw, pool_of, shown_of
from models.learning.shown.exploration import NEW_SHARE

Floats = NDArray[np.float64]

CANDIDATES = 40
FOLD = np.where(np.arange(1, 21) <= 6, 1.0, 0.3) * np.arange(1.0, 21.0) ** -0.2
"""Few look below the sixth rank."""


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


class Lists(NamedTuple):
    """Lists of 20 among 40 candidates, of two domains. base: see `make_world`."""

    number: int
    temperature: float
    base: float


def learned_curve(truth: Floats, lists: Lists, seed: int = 0) -> tuple[Examination, float]:
    """Learn from lists whose ranker knows only a part of what the items are worth; return also the clicks of a list."""
    rng, found = np.random.default_rng(seed), Examination(2)
    order, p, clicks = np.zeros(RANKS, np.int64), np.zeros(RANKS), 0
    for n in range(lists.number):
        world = make_world(rng, CANDIDATES, lists.base)
        pool = pool_of(world.scores, world.new, lists.temperature)
        draw(pool, NEW_SHARE, rng.random((2, RANKS)), order, p)
        clicked = clicks_on(rng, world.appeal[order], truth)
        clicks += int(clicked.sum())
        found.add(n % 2, shown_of(pool, order), clicked, NEW_SHARE)
    return found, clicks / lists.number
