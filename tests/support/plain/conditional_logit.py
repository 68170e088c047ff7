"""Compute the conditional logit in plain numpy: bent signals, gradient and AdaGrad steps, one choice at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE, FORGET = 0.02, 0.9995
Array = NDArray[np.float64]


def bent(signals: Array, knots: Array) -> Array:
    """Return (C, 5 · signals): each signal, and its part beyond each of its 4 knots. signals: (C, signals)."""
    beyond = np.maximum(signals[:, None] - knots, 0.0)
    return np.concatenate([signals, beyond.reshape(len(signals), -1)], 1)


class PlainLogit:
    """Weights by part, and slopes of users at the origin."""

    def __init__(self, prior: Array, knots: Array, parts: int, users: int) -> None:
        self.knots, self.signals = knots, len(prior)
        self.weights = np.zeros((parts, 5 * len(prior)))
        self.weights[0, : len(prior)] = prior
        self.squares = np.ones_like(self.weights)
        self.slopes, self.slope_squares = np.zeros((2, users, len(prior)))

    def total(self, parts: list[int], user: int) -> Array:
        w: Array = self.weights[parts].sum(0)
        w[: self.signals] += self.slopes[user]
        return w

    def scores(self, signals: Array, parts: list[int], user: int) -> Array:
        scores: Array = bent(signals, self.knots) @ self.total(parts, user)
        return scores

    def gradient(self, signals: Array, chosen: int, parts: list[int], user: int) -> Array:
        """Return `∂/∂w -log P(chosen)`."""
        x, s = bent(signals, self.knots), self.scores(signals, parts, user)
        p = np.exp(s - s.max())
        g: Array = (p / p.sum()) @ x - x[chosen]
        return g

    def learn(self, signals: Array, chosen: int, parts: list[int], user: int) -> None:
        g = self.gradient(signals, chosen, parts, user)
        self.squares[parts] = FORGET * self.squares[parts] + g**2
        self.weights[parts] -= RATE * g / np.sqrt(self.squares[parts])
        first = g[: self.signals]
        self.slope_squares[user] += first**2
        self.slopes[user] -= RATE * first / np.sqrt(1.0 + self.slope_squares[user])
