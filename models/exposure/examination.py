"""Learn how often each rank is examined, from lists whose order was drawn with known probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.exposure.plackett_luce import DrawnPool, odds_of_swap
from models.kernels import kernel

Floats = NDArray[np.float64]

RANKS = 20
"""The first ranks, which have a place in the curve each. Deeper ones count as the last."""
FALL = 0.7
"""The prior curve is 1 / rank^0.7."""
PRIOR_CLICKS = 1.0
"""How many clicks the prior curve is worth, for each pair of ranks."""
ENOUGH_CLICKS = 100.0
"""The curve is taken as known when swaps bear this many clicks; before, it is the prior."""
POOL_CLICKS = 20.0
"""How many clicks the pooled curve is worth for each pair of ranks of one domain."""
STEPS = 200


def prior_curve() -> Floats:
    """Return the curve before any evidence, (RANKS,), 1 at the first rank."""
    return np.arange(1.0, RANKS + 1) ** -FALL


@kernel
def add_clicks(shown: DrawnPool, clicked: NDArray[np.bool_], share: float, pairs: Floats) -> None:
    """Add the clicks of one list to `pairs`, (RANKS, RANKS): at [k, l] clicks at k while l was there, too.

    For a pair of ranks, the two orders of the same items are weighed alike: a click counts
    `h = P(swapped) / (P(shown) + P(swapped))`. So each of the two items stood at k as much as at l, and clicks differ
    only because the ranks are examined differently, whatever the items are worth (in the spirit of Joachims et al.
    2017 and Agarwal et al. 2019, "Estimating position bias without intrusive interventions"). clicked: (places,).
    share: of places for new items.
    """
    places = min(len(shown.weights), len(pairs))
    for k in range(places):
        for later in range(k + 1, places):
            if clicked[k] or clicked[later]:
                odds = odds_of_swap(shown, k, later, share)
                h = odds / (1.0 + odds)
                pairs[k, later] += h if clicked[k] else 0.0
                pairs[later, k] += h if clicked[later] else 0.0


def fitted(pairs: Floats) -> Floats:
    """Return the curve θ, (RANKS,), 1 at the first rank, under which the clicks of all pairs are most likely.

    A click of the pair (k, l) is at k with probability θ_k / (θ_k + θ_l) (Bradley and Terry 1952), and

        θ_k ← Σ_l n_kl / Σ_l (n_kl + n_lk) / (θ_k + θ_l)

    climbs to the maximum (Hunter 2004, "MM algorithms for generalized Bradley-Terry models"). Every rank needs clicks.

    >>> pairs = np.zeros((2, 2))
    >>> pairs[0, 1], pairs[1, 0] = 30, 10
    >>> print(fitted(pairs).round(3))  # the second rank is examined a third as often
    [1.    0.333]
    """
    theta, won, met = np.ones(len(pairs)), pairs.sum(1), pairs + pairs.T
    for _ in range(STEPS):
        theta = won / (met / (theta[:, None] + theta)).sum(1)
        theta /= theta[0]
    return theta


def as_pairs(curve: Floats, clicks: float) -> Floats:
    """Return the pairs that a curve, (ranks,), would give with this many clicks a pair of ranks."""
    pairs: Floats = clicks * curve[:, None] / (curve[:, None] + curve)
    np.fill_diagonal(pairs, 0.0)
    return pairs


def score(pairs: Floats, curve: Floats) -> Floats:
    """Return the slope of the pairs' log likelihood in the logarithm of each rank's examination, (ranks,).

    `Σ_l n_kl - (n_kl + n_lk) θ_k / (θ_k + θ_l)`: 0 where the curve is fitted to the pairs; see `fitted`.

    >>> print(score(np.array([[0.0, 30.0], [10.0, 0.0]]), np.array([1.0, 1.0])))
    [ 10. -10.]
    """
    chance = curve[:, None] / (curve[:, None] + curve)
    slopes: Floats = pairs.sum(1) - ((pairs + pairs.T) * chance).sum(1)
    return slopes


def influence(scores: Floats, pairs: Floats, curve: Floats) -> Floats:
    """Return what each user adds to the error of the logarithm of the curve, (users, ranks); 0 at the first rank.

    The score of a user times the inverse of the information of all pairs: the terms of the sandwich variance (Huber
    1967). scores: (users, ranks), see `score`. pairs: those that the curve is fitted to.

    >>> pairs = np.array([[0.0, 30.0], [10.0, 0.0]])  # information 40 · ¾ · ¼
    >>> print(influence(np.array([[-1.5, 1.5]]), pairs, np.array([1.0, 1 / 3])))
    [[0.  0.2]]
    """
    chance = curve[:, None] / (curve[:, None] + curve)
    each = (pairs + pairs.T) * chance * (1 - chance)
    information = np.diag(each.sum(1)) - each
    out = np.zeros_like(scores)
    out[:, 1:] = scores[:, 1:] @ np.linalg.inv(information[1:, 1:])
    return out


class Examination:
    """The curves of several domains, and their common one.

    The curve of a domain shrinks to the common one, and that to the prior. Without exploration no list could have been
    shown in another order: swaps then bear nothing, the curve is not identified, and the prior is kept.
    """

    def __init__(self, domains: int) -> None:
        self.pairs = np.zeros((domains, RANKS, RANKS))
        self._curves: Floats | None = None

    def add(self, domain: int, shown: DrawnPool, clicked: NDArray[np.bool_], share: float) -> None:
        """Add one list; see `add_clicks`."""
        add_clicks(shown, clicked, share, self.pairs[domain])
        self._curves = None

    @property
    def clicks(self) -> float:
        """The number of clicks that swaps of neighbouring ranks bear; what tells whether the curve is identified."""
        neighbours = np.arange(RANKS - 1)
        pooled = self.pairs.sum(0)
        return float((pooled[neighbours, neighbours + 1] + pooled[neighbours + 1, neighbours]).sum())

    @property
    def identified(self) -> bool:
        """Whether the lists tell the curve."""
        return self.clicks >= ENOUGH_CLICKS

    @property
    def pooled_pairs(self) -> Floats:
        """The pairs of all domains and of the prior, which the common curve is fitted to."""
        pairs: Floats = self.pairs.sum(0) + as_pairs(prior_curve(), PRIOR_CLICKS)
        return pairs

    @property
    def pooled(self) -> Floats:
        """The common curve, (RANKS,)."""
        if not self.identified:
            return prior_curve()
        return fitted(self.pooled_pairs)

    def curve(self, domain: int) -> Floats:
        """Return the domain's curve, (RANKS,), 1 at the first rank."""
        if self._curves is None:
            pooled = self.pooled
            if self.identified:
                self._curves = np.array(
                    [fitted(pairs + as_pairs(pooled, POOL_CLICKS)) for pairs in self.pairs]
                )
            else:
                self._curves = np.tile(pooled, (len(self.pairs), 1))
        curve: Floats = self._curves[domain]
        return curve

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {"pairs": self.pairs.copy()}

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self.pairs[:] = state["pairs"]
        self._curves = None
