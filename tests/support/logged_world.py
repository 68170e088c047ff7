"""Log lists in a world whose appeal and examination are known, and tell what other lists of the same candidates get."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from models.exposure.place_chances import add_chances
from models.exposure.plackett_luce import Pool, draw

Floats = NDArray[np.float64]

POWER = np.arange(1.0, 11.0) ** -0.7
HABIT = 0.5
"""Standard deviation of users' own log odds of a click."""


class WorldSettings(NamedTuple):
    """How lists are logged. different: 0: the other ranker judges as the logged one; 1: by noise of its own.

    boldness: with 1, a score is the mean log odds of a click of the items that have it; with more, rankers believe
    themselves to know more than they do, and lists differ less from draw to draw. cascade: users stop after a click.
    """

    lists: int = 20_000
    users: int = 1_000
    items: int = 300
    candidates: int = 50
    temperature: float = 0.3
    share: float = 0.1
    curve: Floats = POWER
    base: float = -2.5
    different: float = 1.0
    boldness: float = 1.0
    cascade: bool = False
    draws: int = 25
    """For the exposures of the log."""


class LoggedWorld(NamedTuple):
    """n lists. candidates, scores, other, new, appeal: (n, candidates). order, p, clicks: (n, places).

    scores: of the logged ranker; other: of another one. appeal: the mean over all users that could have come.
    """

    settings: WorldSettings
    users: NDArray[np.int64]
    candidates: NDArray[np.int64]
    scores: Floats
    other: Floats
    new: NDArray[np.bool_]
    appeal: Floats
    order: NDArray[np.int64]
    p: Floats
    clicks: Floats

    def best_first(self, scores: Floats) -> Floats:
        """Return the chances of each candidate at each place, (n, candidates, places), if scores are followed."""
        order = np.argsort(-scores, 1)[:, : self.order.shape[1]]
        out = np.zeros((*scores.shape, self.order.shape[1]), np.float32)
        np.put_along_axis(out, order[:, None, :], 1.0, 1)
        return out

    def drawn(self, scores: Floats, temperature: float, share: float, seed: int, draws: int = 0) -> Floats:
        """Return the same for lists that are drawn."""
        out = np.zeros((*scores.shape, self.order.shape[1]), np.float32)
        _chances(_weights(scores, temperature), self.new, share, seed, draws or self.settings.draws, out)
        return out

    def worth(self, chances: Floats) -> float:
        """Return the mean clicks a list, of users that could have come, where users examine places independently."""
        shown = np.einsum("nc,ncp->np", self.appeal, chances)
        return float((shown @ self.settings.curve).mean())


def log_world(seed: int, settings: WorldSettings) -> LoggedWorld:
    """Make users of unequal activity and habits, candidates, two rankers that know a part, lists and clicks."""
    rng, shape = np.random.default_rng(seed), (settings.lists, settings.candidates)
    activity = rng.gamma(1.0, size=settings.users)
    users = rng.choice(settings.users, settings.lists, p=activity / activity.sum())
    habits = HABIT * rng.standard_normal(settings.users)
    items = 0.5 * rng.standard_normal(settings.items)
    candidates = rng.random((settings.lists, settings.items)).argpartition(settings.candidates, 1)[
        :, : shape[1]
    ]
    worth = items[candidates] + 0.6 * rng.standard_normal(shape)
    noises = [0.4 * rng.standard_normal(shape) for _ in range(2)]
    mixed = (1 - settings.different) * noises[0] + settings.different * noises[1]
    scores, other = (settings.boldness * (0.5 * worth + noise) for noise in (noises[0], mixed))
    new = rng.random(shape) < 0.1
    order = np.zeros((settings.lists, len(settings.curve)), np.int64)
    p = np.zeros(order.shape)
    _draw(_weights(scores, settings.temperature), new, settings.share, seed, order, p)
    odds = settings.base + worth
    own = np.take_along_axis(odds, order, 1) + habits[users][:, None]
    clicks = rng.random(order.shape) < settings.curve / (1 + np.exp(-own))
    if settings.cascade:
        clicks &= np.cumsum(clicks, 1) <= 1
    points, weights = np.polynomial.hermite_e.hermegauss(9)
    appeal = sum(
        w / weights.sum() / (1 + np.exp(-odds - HABIT * at)) for at, w in zip(points, weights, strict=True)
    )
    return LoggedWorld(
        settings, users, candidates, scores, other, new, appeal, order, p, clicks.astype(float)
    )  # fmt: skip


def _weights(scores: Floats, temperature: float) -> Floats:
    weights: Floats = np.exp((scores - scores.max(1, keepdims=True)) / temperature)
    return weights


@numba.njit  # type: ignore[untyped-decorator]
def _draw(weights: Any, new: Any, share: float, seed: int, order: Any, p: Any) -> None:
    np.random.seed(seed)
    for n in range(len(weights)):
        draw(Pool(weights[n], new[n]), share, np.random.random((2, order.shape[1])), order[n], p[n])


@numba.njit  # type: ignore[untyped-decorator]
def _chances(weights: Any, new: Any, share: float, seed: int, draws: int, out: Any) -> None:
    np.random.seed(seed)
    one = np.zeros(out.shape[1:])
    for n in range(len(weights)):
        one[:] = 0.0
        uniform = np.random.random((draws, 2, out.shape[2]))
        add_chances(Pool(weights[n], new[n]), share, uniform, one)
        out[n] = one
