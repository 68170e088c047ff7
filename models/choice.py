"""Which of the candidates a user takes: a conditional logit, learned online."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BUCKETS = (0, 1, 5, 20)
"""First count of each history bucket."""


def bucket(count: int) -> int:
    """Which history bucket a user with `count` earlier events of the domain is in."""
    return sum(count >= first for first in BUCKETS) - 1


class Choice:
    """`P(i | candidates C) = exp(w·x_i) / Σ_{j∈C} exp(w·x_j)`, `w` = a shared part + one a history bucket.

    The loss is `-log P(chosen)`, only on events whose item is in C. As C does not depend on the chosen
    item, this conditional likelihood is consistent (McFadden 1978); sampled negatives would need a
    correction. Steps are AdaGrad's (Duchi et al., 2011): one gradient, `Σ_j P_j x_j - x_chosen`, both parts.
    """

    def __init__(self, prior: NDArray[np.float64], rate: float = 0.1) -> None:
        self.rate = rate
        self.weights = np.concatenate([prior[None], np.zeros((len(BUCKETS), len(prior)))])
        """(1 + buckets, signals): the shared part first."""
        self._squares = np.full_like(self.weights, 1.0)

    def weights_of(self, count: int) -> NDArray[np.float64]:
        """(signals,): the weights for a user with `count` earlier events of the domain."""
        total: NDArray[np.float64] = self.weights[0] + self.weights[1 + bucket(count)]
        return total

    def learn(self, signals: NDArray[np.float64], chosen: int, count: int) -> None:
        """One step on signals (candidates, signals) with the row of the chosen one."""
        scores = signals @ self.weights_of(count)
        p = np.exp(scores - scores.max())
        gradient = p @ signals / p.sum() - signals[chosen]
        if not np.isfinite(gradient).all():
            return
        for part in (0, 1 + bucket(count)):
            self._squares[part] += gradient**2
            self.weights[part] -= self.rate * gradient / np.sqrt(self._squares[part])

    def state(self) -> dict[str, Any]:
        return {"weights": self.weights.copy(), "squares": self._squares.copy()}

    def load(self, state: dict[str, Any]) -> None:
        self.weights, self._squares = state["weights"].copy(), state["squares"].copy()
