"""What an item's vector alone says of its rating: every user's shared taste, so that new items start well."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHT_WORTH = 40.0


class ItemPrior:
    """rating ≈ β · x, Bayesian ridge learned by recursive least squares; x is the vector at unit mean square.

    β is the mean of all users' tastes; `Taste` learns each user's deviation from it, `Bias` each item's.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.squares, self.count = 0.0, 0
        self.mean = np.zeros(width)
        self.covariance = np.eye(width) / WEIGHT_WORTH

    def scaled(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """x for one or many vectors: scaled so that |x|² averages 1 over the events so far."""
        scale = (self.count / self.squares) ** 0.5 if self.squares > 0 else 0.0
        result: NDArray[np.float64] = vectors.astype(np.float64) * scale
        return result

    def measure(self, vector: NDArray[np.float32]) -> None:
        """Counts one event's vector into the mean square; an item without a vector says nothing of it."""
        wide = vector.astype(np.float64)
        square = float(wide @ wide)
        if square > 0:
            self.squares += square
            self.count += 1

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """β · x for x (k,) or (n, k)."""
        result: NDArray[np.float64] = x @ self.mean
        return result

    def spread(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Px (k,) and x·Px, the variance of β · x in units of the noise."""
        gain = self.covariance @ x
        return gain, float(x @ gain)

    def learn(self, gain: NDArray[np.float64], error: float, innovation: float) -> None:
        self.mean += gain * (error / innovation)
        self.covariance -= np.multiply.outer(gain, gain / innovation)

    def state(self) -> dict[str, Any]:
        return {
            "squares": self.squares,
            "count": self.count,
            "mean": self.mean.copy(),
            "covariance": self.covariance.copy(),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.squares, self.count = float(state["squares"]), int(state["count"])
        self.mean, self.covariance = state["mean"].copy(), state["covariance"].copy()
