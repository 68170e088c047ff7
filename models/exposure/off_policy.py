"""Value the lists of another policy from clicks on logged ones, by how much more each item would be examined."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

LEAST_EFFECTIVE = 200.0
"""Under this effective number of lists intervals are wrong, and the target is refused."""
RARE, MOST_RARE = 0.001, 0.05
"""The target is refused if over 5 % of its exposure is on items with a logged exposure below .001."""
Z = 1.96
MODEL_FAILS = 0.8
"""Under this share of the clicks below a click that independent places give, the click model is in doubt."""


class Lists(NamedTuple):
    """n logged lists of k places, as the estimators need them. All (n, k) but value.

    clicks: 0 or 1. theta: the examination of each place; 0 where nothing was shown. ratio: exposure of the shown item
    under the target policy divided by that under the logging one; 0 where nothing was shown. appeal: the click
    probability of the shown item if it is examined, by some model; zeros without a model. value: (n,) clicks of the
    target's list by that model. The target fills the same places.
    """

    clicks: Floats
    theta: Floats
    ratio: Floats
    appeal: Floats
    value: Floats


class Estimate(NamedTuple):
    """Clicks a list. moves: (n,) what each list adds to `n · (value - truth)`."""

    value: float
    moves: Floats

    def __sub__(self, other: Estimate) -> Estimate:
        """Return the difference of two estimates on the same lists."""
        return Estimate(self.value - other.value, self.moves - other.moves)


def as_logged(lists: Lists) -> Estimate:
    """Return the clicks a list of the logging policy."""
    return _mean(lists.clicks.sum(1))


def exposure_weighted(lists: Lists) -> Estimate:
    """Return `V = mean Σ c w` over places, with w the ratio of exposures.

    It is right where users examine places independently of each other (Li et al. 2018, "Offline evaluation of ranking
    policies with click models"). With one place a list, w is the ratio of the whole lists' probabilities, and no click
    model is needed.

    >>> none = np.zeros((2, 1))  # the clicked item is shown twice as often by the target, the other never
    >>> exposure_weighted(Lists(np.array([[1.0], [0.0]]), none + 1, np.array([[2.0], [0.0]]), none, none[:, 0])).value
    1.0
    """
    return _mean((lists.clicks * lists.ratio).sum(1))


def self_normalised(lists: Lists) -> Estimate:
    """Return the exposure-weighted value, normalised by its weights.

    `V = E · Σ c w / Σ θ w` over all places, with E the mean exposure a list, which target and log share because they
    fill the same places. That takes out the chance in the sum of weights (Swaminathan and Joachims 2015).

    Half of the lists show item a and half b, only b is clicked, and the target shows b only:

    >>> clicks, theta, none = np.array([[0.0], [1.0]] * 500), np.ones((1000, 1)), np.zeros((1000, 1))
    >>> lists = Lists(clicks, theta, np.array([[0.0], [2.0]] * 500), none, none[:, 0])
    >>> self_normalised(lists).value
    1.0
    """
    gained, weight = (lists.clicks * lists.ratio).sum(1), (lists.theta * lists.ratio).sum(1)
    total, exposure = float(weight.sum()), lists.theta.sum(1)
    if not total:
        return Estimate(0.0, gained)
    each = float(gained.sum()) / total
    value = float(exposure.mean()) * each
    moves = exposure.mean() * (gained - each * weight) / (total / len(weight))
    return Estimate(value, moves + each * (exposure - exposure.mean()))


def doubly_robust(lists: Lists) -> Estimate:
    """Return the model's value, corrected by the weighted errors of the model on what was shown.

    `V = mean [value + Σ w (c - θ appeal)]`: right if either the model or the exposures are (Dudík et al. 2011). The
    model must not have learned a list's own clicks.

    >>> none = np.zeros((2, 1))  # the model says .5, and misses by .5 on what the target shows
    >>> lists = Lists(np.array([[1.0], [0.0]]), none + 1, np.array([[2.0], [0.0]]), none + 0.5, none[:, 0] + 0.5)
    >>> doubly_robust(lists).value
    1.0
    """
    return _mean(lists.value + (lists.ratio * (lists.clicks - lists.theta * lists.appeal)).sum(1))


def _mean(each: Floats) -> Estimate:
    value = float(each.mean())
    return Estimate(value, each - value)


class Interval(NamedTuple):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


def interval(estimate: Estimate, users: Index, noise: Floats | None = None) -> Interval:
    """Return the estimate with a 95 % interval; the lists of one user are not independent, so users are its units.

    users: (n,) numbers of users. noise: (users,) what each user adds to the error of the value besides, such as by
    their part in the examination curve.
    """
    by_user = np.bincount(users, estimate.moves, 0 if noise is None else len(noise)) / len(users)
    if noise is not None:
        by_user = by_user + noise
    present = np.bincount(users, minlength=len(by_user)) > 0
    count = int((present | (by_user != 0)).sum())
    width = Z * sqrt(float((by_user**2).sum()) * count / max(count - 1, 1))
    return Interval(estimate.value, estimate.value - width, estimate.value + width)


def effective_lists(lists: Lists) -> float:
    """Return `(Σ w)² / Σ w²` with w the examined ratio of a list: how many equally weighted lists tell as much."""
    weight = (lists.theta * lists.ratio).sum(1)
    squares = float((weight * weight).sum())
    return float(weight.sum()) ** 2 / squares if squares else 0.0


def refusal(effective: float, rare: float, logged: int) -> str:
    """Return why no figure of a target should be believed; empty if it may.

    effective: see `effective_lists`. rare: the share of the target's exposure on items with a logged exposure under
    `RARE`. logged: the number of logged lists, which no effective number exceeds.
    """
    if logged < LEAST_EFFECTIVE:
        return f"{logged} logged lists, under {LEAST_EFFECTIVE:.0f}: log more impressions"
    found = []
    if effective < LEAST_EFFECTIVE:
        found.append(
            f"the logged lists are worth {effective:.0f} of the target's, under {LEAST_EFFECTIVE:.0f}"
        )
    if rare > MOST_RARE:
        found.append(
            f"{100 * rare:.0f} % of what the target shows was hardly ever logged (at most {100 * MOST_RARE:.0f} %)"
        )
    advice = "log at a higher temperature, or value a policy nearer to the logged one"
    return f"{' and '.join(found)}: {advice}" if found else ""


class BelowAClick(NamedTuple):
    """Clicks below the first click of their list. expected: by the clicks at the same places without a click above."""

    seen: float
    expected: float

    @property
    def ratio(self) -> float:
        """Near 1, up to differences among users, if places are examined independently; nan if nothing tells."""
        return self.seen / self.expected if self.expected else float("nan")

    @property
    def doubtful(self) -> bool:
        """Whether clearly fewer were seen: by a share, and by three standard deviations."""
        few = self.expected - 3 * sqrt(self.expected)
        return self.seen < min(few, MODEL_FAILS * self.expected)


def falls_below_a_click(clicks: Floats, shown: NDArray[np.bool_]) -> BelowAClick:
    """Return how many clicks lie below the first click, beside those expected if places are examined independently.

    Where users stop after a click (a cascade) none do. clicks, shown: (n, places).

    Half of those who did not click the first place click the second, and nobody of the two who did:

    >>> clicks = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> falls_below_a_click(clicks, np.ones_like(clicks, np.bool_))
    BelowAClick(seen=0.0, expected=1.0)
    """
    above = np.cumsum(clicks, 1) - clicks > 0
    expected, seen = 0.0, 0.0
    for place in range(1, clicks.shape[1]):
        here = shown[:, place]
        below, free = clicks[here & above[:, place], place], clicks[here & ~above[:, place], place]
        if len(below) and len(free):
            expected += float(free.mean()) * len(below)
            seen += float(below.sum())
    return BelowAClick(seen, expected)
