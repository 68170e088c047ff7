"""Value the lists of another policy from clicks on logged ones, by how much more each item would be examined."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.exposure.plackett_luce import Pool, draw, place_probability
from models.kernels import kernel

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

LEAST_EFFECTIVE = 200.0
"""Under this effective number of lists intervals are wrong, and the target is refused."""
RARE, MOST_RARE = 0.001, 0.05
"""The target is refused if over 5 % of its exposure is on items with a logged exposure below .001."""
Z = 1.96


@kernel
def add_exposures(pool: Pool, share: float, theta: Floats, uniform: Floats, out: Floats) -> None:
    """Add the mean over draws of the examination of the rank where each candidate stands to `out`, (n,).

    At each rank of a draw every candidate counts with its probability given the ranks above, so that a few draws are
    enough and no candidate has an exposure of 0 (Rao and Blackwell). theta: (places,) the examination curve. uniform:
    (draws, 2, places) numbers in [0, 1). The shown list must not be one of the draws: it would count itself, and bias
    every ratio.
    """
    draws, places, n = len(uniform), len(theta), len(pool.weights)
    order, p = np.zeros(places, np.int64), np.zeros(places)
    gone = np.zeros(n, np.int64)
    for one in range(draws):
        length = draw(pool, share, uniform[one], order, p)
        for rank in range(length):
            left, left_new = 0.0, 0.0
            for c in range(n):
                if gone[c] != one + 1:
                    left += pool.weights[c]
                    left_new += pool.weights[c] if pool.new[c] else 0.0
            for c in range(n):
                if gone[c] != one + 1:
                    chance = place_probability(pool.weights[c], pool.new[c], left, left_new, share)
                    out[c] += theta[rank] * chance / draws
            gone[order[rank]] = one + 1


class Lists(NamedTuple):
    """n logged lists of k places, as the estimators need them. All (n, k) but users and value.

    clicks: 0 or 1. theta: the examination of each place. ratio: exposure of the shown item under the target policy
    divided by that under the logging one; 0 where nothing was shown. appeal: the click probability of the shown item
    if it is examined, by some model; zeros without a model. value: (n,) clicks of the target's list by that model.
    users: (n,) numbers of users.
    """

    clicks: Floats
    theta: Floats
    ratio: Floats
    appeal: Floats
    value: Floats
    users: Index


class Value(NamedTuple):
    """Clicks a list of the target policy, with a 95 % interval. effective: the effective number of lists.

    refused: why no figure should be believed; empty if it may.
    """

    estimate: float
    low: float
    high: float
    effective: float
    refused: str


def self_normalised(lists: Lists, mass: float, rare: float = 0.0) -> Value:
    """Return the exposure-weighted value, normalised by its weights.

    `V = E · Σ c w / Σ θ w` over all places, with w the ratio of exposures and E the target's exposure a list. Where
    users examine places independently of each other this has little bias (Li et al. 2018, "Offline evaluation of
    ranking policies with click models"; Swaminathan and Joachims 2015 on the normalisation). mass: E, the sum of theta
    over the target's places. rare: the share of the target's exposure that is hardly logged.

    Half of the lists show item a and half b, only b is clicked, and the target shows b only:

    >>> clicks, theta, none = np.array([[0.0], [1.0]] * 500), np.ones((1000, 1)), np.zeros((1000, 1))
    >>> lists = Lists(clicks, theta, np.array([[0.0], [2.0]] * 500), none, none[:, 0], np.arange(1000))
    >>> self_normalised(lists, mass=1.0).estimate
    1.0
    """
    gained, weight = (lists.clicks * lists.ratio).sum(1), (lists.theta * lists.ratio).sum(1)
    total = float(weight.sum())
    estimate = mass * float(gained.sum()) / total if total else 0.0
    moves = (mass * gained - estimate * weight) / (total / len(weight)) if total else gained
    return _valued(estimate, moves, lists, rare)


def doubly_robust(lists: Lists, rare: float = 0.0) -> Value:
    """Return the model's value, corrected by the weighted errors of the model on what was shown.

    `V = mean [value + Σ w (c - θ appeal)]`: right if either the model or the exposures are (Dudík et al. 2011). See
    `self_normalised` for rare.
    """
    errors = (lists.ratio * (lists.clicks - lists.theta * lists.appeal)).sum(1)
    each = lists.value + errors
    estimate = float(each.mean())
    return _valued(estimate, each - estimate, lists, rare)


def effective_lists(lists: Lists) -> float:
    """Return `(Σ w)² / Σ w²` with w the examined ratio of a list: how many equally weighted lists tell as much."""
    weight = (lists.theta * lists.ratio).sum(1)
    squares = float((weight * weight).sum())
    return float(weight.sum()) ** 2 / squares if squares else 0.0


def rare_share(target: Floats, logged: Floats) -> float:
    """Return the share of a target's exposure that is on items with hardly any logged one. Both: (n, candidates)."""
    total = float(target.sum())
    return float(target[logged < RARE].sum()) / total if total else 0.0


def _valued(estimate: float, moves: Floats, lists: Lists, rare: float) -> Value:
    """Return an estimate with its interval. moves: (n,) what each list adds to `n · (estimate - truth)`."""
    by_user = np.bincount(lists.users, moves)
    by_user = by_user[np.bincount(lists.users) > 0]
    count = len(by_user)
    # The lists of one user are not independent, so users are the units of the variance.
    variance = float((by_user**2).sum()) * count / max(count - 1, 1) / len(moves) ** 2
    width, effective, refused = Z * sqrt(variance), effective_lists(lists), ""
    if effective < LEAST_EFFECTIVE:
        refused = (
            f"the logged lists are worth {effective:.0f} of the target's, under {LEAST_EFFECTIVE:.0f}: "
            "log at a higher temperature, or value a policy nearer to the logged one"
        )
    elif rare > MOST_RARE:
        refused = (
            f"{100 * rare:.0f} % of what the target shows was hardly ever logged (at most {100 * MOST_RARE:.0f} %): "
            "log at a higher temperature, or value a policy nearer to the logged one"
        )
    return Value(estimate, estimate - width, estimate + width, effective, refused)


def falls_below_a_click(clicks: Floats) -> float:
    """Return clicks per place below the first click, divided by those of lists without a click above the same place.

    The estimators take places to be examined independently. Then this is near 1 up to the users' differences; where
    users stop after a click (a cascade) it falls towards 0. clicks: (n, places). nan if nothing tells.
    """
    above = np.cumsum(clicks, 1) - clicks > 0
    expected, seen = 0.0, 0.0
    for place in range(1, clicks.shape[1]):
        below, free = clicks[above[:, place], place], clicks[~above[:, place], place]
        if len(below) and len(free):
            expected += float(free.mean()) * len(below)
            seen += float(below.sum())
    return seen / expected if expected else float("nan")
