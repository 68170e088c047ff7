"""Learn how scores become click rates, and how much appeal and fatigue may say: one small model a domain."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.settings import ARMS

Floats = NDArray[np.float64]

TERMS = ("rate", "slope", "level", "fatigue")
"""The features x of a shown item: 1; its score minus the mean score of its impression; that mean; how much of it was
shown to the user before and passed over."""
RATE, SLOPE, LEVEL, FATIGUE = range(4)
MEAN = np.array([np.log(0.05), 1.0, 0.0, 0.0])
PRECISION = np.array([0.25, 4.0, 4.0, 4.0])
"""The weights' prior: mean, and precision in expected clicks."""
KEPT = 0.9998
"""Factor of evidence at each impression: about the last 5,000 count."""
GAIN_KEPT = 0.9995
"""Factor of gains at each impression: about the last 2,000 count."""
DOUBT = 5.0
"""Log likelihood that appeal, or fatigue, must have gained to count half."""
FLATTEST = 0.2
"""The least slope with which appeals, in log odds, become parts of a score."""
LONGEST = 1.0
"""The longest step of the weights, in standard deviations of a feature that is about 1."""


class Examples(NamedTuple):
    """n places where items were shown or clicked, of m impressions.

    x: (n, arms, 4) see `TERMS`. theta: (n,) how often their ranks are examined. appeal: (n,) of the items, as far as it
    counts. clicks: (n,) 1 for a click. shown: (n,) 1 for a place that is shown now, 0 for a click on one that was shown
    before.
    """

    x: Floats
    theta: Floats
    appeal: Floats
    clicks: Floats
    shown: Floats
    impressions: int


class Met(NamedTuple):
    """All n items of some impressions that were clicked. at: (n,) the number of the impression.

    x: (n, 4) of the full arm. theta: (n,). appeal: (n,) means. clicked: (n,) whether the click is on this item.
    """

    at: NDArray[np.int64]
    x: Floats
    theta: Floats
    appeal: Floats
    clicked: NDArray[np.bool_]


def rates(log_rate: Floats) -> Floats:
    """Return `exp(min(log_rate, 0))`: click rates of examined items, of any shape.

    >>> rates(np.array([-2.0, 1.0])).round(3).tolist()
    [0.135, 1.0]
    """
    rate: Floats = np.exp(np.minimum(np.maximum(log_rate, -20.0), 0.0))
    return rate


class ClickModel:
    """A Poisson regression for each domain and arm, `rate = θ(rank) · exp(w·x + appeal)`, learned online.

    The weights are those of the highest posterior under a normal prior; each batch is one step of Newton's method, with
    the precision P that all earlier batches have left (an extended Kalman filter; West, Harrison, Migon 1985):

        P ← P + Σ rate · x xᵀ,   w ← w + P⁻¹ Σ (click - rate) x

    Both sums take shows and clicks apart, so a click may come at any time after its show. Appeal and fatigue count by
    what they have gained so far, see `judge`: their share is `G / (G + 5)`, 0 for a G below 0. So they cannot hurt
    before they have proved that they help.

    >>> model = ClickModel(1)
    >>> x = np.tile([1.0, 0.0, 0.0, 0.0], (100, 4, 1))
    >>> none, ones = np.zeros(100), np.ones(100)
    >>> for _ in range(20):
    ...     model.learn(0, Examples(x, ones, none, ones * 0.2, ones, 100))  # a fifth is clicked
    >>> model.expected(0, x[:1, 0], ones[:1]).round(2).tolist()
    [0.2]
    """

    def __init__(self, domains: int) -> None:
        self.weights = np.tile(MEAN, (domains, len(ARMS), 1))
        """(domains, arms, 4)."""
        self.precision = np.tile(np.diag(PRECISION), (domains, len(ARMS), 1, 1))
        """(domains, arms, 4, 4)."""
        self.gains = np.zeros((domains, 2))
        """(domains, 2): of appeal and of fatigue."""
        self.impressions = np.zeros(domains)
        """(domains,): learned so far."""

    def shares(self, domain: int) -> tuple[float, float]:
        """Return how much appeal and fatigue count, from 0 to 1."""
        appeal, fatigue = (max(gain, 0.0) / (max(gain, 0.0) + DOUBT) for gain in self.gains[domain].tolist())
        return appeal, fatigue

    def slope(self, domain: int, arm: int) -> float:
        """Return how many log odds of a click one unit of an arm's score is worth, at least 0.2."""
        return max(float(self.weights[domain, arm, SLOPE]), FLATTEST)

    def fatigue(self, domain: int) -> float:
        """Return the log odds that one show without a click is worth."""
        return float(self.weights[domain, 0, FATIGUE])

    def expected(self, domain: int, x: Floats, theta: Floats) -> Floats:
        """Return the expected clicks of shown items by all but their appeal, (n,). x: (n, 4) of the full arm."""
        weights = self.weights[domain, 0].copy()
        weights[FATIGUE] *= self.shares(domain)[1]
        return theta * rates(x @ weights)

    def learn(self, domain: int, examples: Examples) -> None:
        """Learn shows and clicks."""
        self._judge_fatigue(domain, examples)
        kept, prior = KEPT**examples.impressions, np.diag(PRECISION)
        x, weights = examples.x.transpose(1, 0, 2), self.weights[domain]  # all arms together: (arms, n, 4)
        log_rate = (x @ weights[:, :, None])[:, :, 0] + examples.appeal
        rate = rates(log_rate) * (examples.theta * examples.shown)
        precision = (
            prior + kept * (self.precision[domain] - prior) + (x * rate[:, :, None]).transpose(0, 2, 1) @ x
        )
        push = (examples.clicks - rate)[:, None, :] @ x
        step = np.linalg.solve(precision, push[:, 0, :, None])[:, :, 0]
        self.precision[domain] = precision
        self.weights[domain] += step / np.maximum(1.0, np.abs(step).max(1, keepdims=True) / LONGEST)
        self.impressions[domain] += examples.impressions
        self.gains[domain] *= GAIN_KEPT**examples.impressions

    def judge(self, domain: int, met: Met) -> None:
        """Count what appeal gains at clicks that are not learned yet.

        G is the log likelihood of the item that was clicked among those that were shown with it, with appeal minus
        without, `P(i) = θ_i exp(s_i) / Σ_j θ_j exp(s_j)`. It does not ask how many are clicked.
        """
        with_it, many = met.x @ self.weights[domain, 0] + met.appeal, int(met.at.max(initial=-1)) + 1
        every, without = (
            np.bincount(met.at, met.theta * np.exp(np.clip(log_rate, -20.0, 5.0)), many)
            for log_rate in (with_it, with_it - met.appeal)
        )
        ratio = np.log(every / np.where(without > 0, without, 1.0), where=every > 0, out=np.zeros(many))
        self.gains[domain, 0] += met.appeal[met.clicked].sum() - ratio[met.at[met.clicked]].sum()

    def _judge_fatigue(self, domain: int, examples: Examples) -> None:
        """Count what fatigue gains at shows and clicks that are not learned yet.

        Here G is the Poisson log likelihood, because a whole list may be tired, and others are to take its place.
        """
        x, weights = examples.x[:, 0], self.weights[domain, 0]
        fatigue = weights[FATIGUE] * x[:, FATIGUE]
        rate = examples.theta * rates(x @ weights + examples.appeal) * examples.shown
        self.gains[domain, 1] += examples.clicks @ fatigue - (rate * -np.expm1(-fatigue)).sum()

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        names = ("weights", "precision", "gains", "impressions")
        return {name: getattr(self, name).copy() for name in names}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        for name in ("weights", "precision", "gains", "impressions"):
            setattr(self, name, state[name].copy())
