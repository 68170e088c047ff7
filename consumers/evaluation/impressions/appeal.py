"""Predict the appeal of items in a log from clicks of other users: the crude model of the doubly robust estimate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

BINS = 10
PRIOR_CLICKS = 5.0
"""How many clicks a score's or an item's own rate must have to count half."""
FOLDS = 2


class ShownPlaces(NamedTuple):
    """All shown places of a log, (m,) each. users, items: numbers. scores: 0 without any. theta: their examination."""

    users: Index
    items: Index
    scores: Floats
    clicks: Floats
    theta: Floats


class AppealModel(NamedTuple):
    """The rate of a score times the factor of an item, for each half of the users learned from the other half.

    edges: (BINS - 1,) scores between bins. rates: (FOLDS, BINS). factors: (FOLDS, items).
    """

    edges: Floats
    rates: Floats
    factors: Floats

    def of(self, user: int, items: Index, scores: Floats) -> Floats:
        """Return the probability of a click if examined. user, items: numbers; -1 is an item that was never shown."""
        fold = user % FOLDS
        factors = np.where(items >= 0, self.factors[fold][items], 1.0)
        appeal: Floats = np.minimum(self.rates[fold][np.searchsorted(self.edges, scores)] * factors, 1.0)
        return appeal


def fit_appeal(shown: ShownPlaces, items: int) -> AppealModel:
    """Fit clicks = examination x rate of the score x factor of the item, each shrunk. items: the number of items.

    A rate is `(clicks + 5) / (examined + 5 / r)` of the places with such a score, with r the rate of all places; a
    factor `(clicks + 5) / (expected + 5)` of the item's places: means under Gamma priors worth five clicks.
    """
    edges = np.unique(np.quantile(shown.scores, np.arange(1, BINS) / BINS))
    bins = np.searchsorted(edges, shown.scores)
    rates, factors = np.zeros((FOLDS, len(edges) + 1)), np.ones((FOLDS, max(items, 1)))
    for fold in range(FOLDS):
        others = shown.users % FOLDS != fold
        clicks, theta, at = shown.clicks[others], shown.theta[others], bins[others]
        overall = (float(clicks.sum()) + 0.5) / (float(theta.sum()) + 1.0)
        gained, examined = (np.bincount(at, which, len(edges) + 1) for which in (clicks, theta))
        rates[fold] = (gained + PRIOR_CLICKS) / (examined + PRIOR_CLICKS / overall)
        own = shown.items[others]
        gained, expected = (
            np.bincount(own, which, max(items, 1)) for which in (clicks, theta * rates[fold][at])
        )
        factors[fold] = (gained + PRIOR_CLICKS) / (expected + PRIOR_CLICKS)
    return AppealModel(edges, rates, factors)
