"""Make lists with known appeal and examination."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

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
