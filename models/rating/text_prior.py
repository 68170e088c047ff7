"""Predict a rating from the item's text vector alone, by a taste that all users share, so that new items start well."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel

PRIOR_STRENGTH = 40.0
"""The number of events that the belief "a weight is 0" counts as."""
SQUARES, COUNT = 0, 1


class TextArrays(NamedTuple):
    """The belief β ~ N(mean, covariance), in units of the noise. k: length of an item vector."""

    tally: NDArray[np.float64]
    """(2,): the sum of |vector|² over the events with a vector so far, and the number of these events."""
    mean: NDArray[np.float64]
    """(k,)"""
    covariance: NDArray[np.float64]
    """(k, k)"""


@kernel
def scale_vector(prior: TextArrays, vector: NDArray[Any], x: NDArray[Any]) -> None:
    """Write x (k,): the item vector (k,), scaled so that |x|² averages 1 over the events so far; 0 before the first."""
    squares = prior.tally[SQUARES]
    scale = np.sqrt(prior.tally[COUNT] / squares) if squares > 0.0 else 0.0
    for n in range(len(vector)):
        x[n] = vector[n] * scale


@kernel
def text_rating(prior: TextArrays, x: NDArray[Any]) -> float:
    """Return β · x, in quarters of the rating range. x: (k,) of `scale_vector`."""
    total = 0.0
    for n in range(len(x)):
        total += prior.mean[n] * x[n]
    return total


@kernel
def text_gain(prior: TextArrays, x: NDArray[Any], gain: NDArray[Any]) -> float:
    """Write Px into `gain`, (k,), and return x·Px, the variance of β · x in units of the noise."""
    total = 0.0
    for row in range(len(x)):
        product = 0.0
        for n in range(len(x)):
            product += prior.covariance[row, n] * x[n]
        gain[row] = product
        total += product * x[row]
    return total


@kernel
def learn_text(prior: TextArrays, gain: NDArray[Any], error: float, innovation: float) -> None:
    """Take one step of recursive least squares:   β += Px e / S,   P -= Px (Px)ᵀ / S.

    gain: Px (k,). error: e, observed minus predicted. innovation: S, the variance of e in units of the noise. Source:
    Kalman (1960), for a state that does not change.

    With P = 1/40 and x = 1 an error of 1 moves β by the step 1 / (1 + 40):

    >>> prior, gain = TextPrior(width=1).arrays, np.zeros(1)
    >>> variance = text_gain(prior, np.ones(1), gain)
    >>> learn_text(prior, gain, 1.0, 1.0 + variance)
    >>> round(41 * float(prior.mean[0]), 6), round(41 * float(prior.covariance[0, 0]), 6)
    (1.0, 1.0)
    """
    for row in range(len(gain)):
        share = gain[row] / innovation
        prior.mean[row] += share * error
        for n in range(len(gain)):
            prior.covariance[row, n] -= gain[n] * share


@kernel
def measure_vector(prior: TextArrays, vector: NDArray[Any]) -> None:
    """Count one event's vector, (k,), in the mean square. A zero vector, of an item without text, is left out."""
    square = 0.0
    for n in range(len(vector)):
        square += np.float64(vector[n]) * np.float64(vector[n])
    if square > 0.0:
        prior.tally[SQUARES] += square
        prior.tally[COUNT] += 1.0


class TextPrior:
    """Bayesian ridge regression, rating ≈ β · x, by recursive least squares; x is the vector at unit mean square.

    β is the mean of all users' tastes. `UserTaste` learns each user's deviation from it, and the biases each item's.
    """

    def __init__(self, width: int) -> None:
        """Begin with β = 0. width: k, length of an item vector."""
        self.arrays = TextArrays(np.zeros(2), np.zeros(width), np.eye(width) / PRIOR_STRENGTH)

    def predict_all(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return β · x of each item vector, (n,), in quarters of the rating range. vectors: (n, k)."""
        squares, count = self.arrays.tally
        scale = (count / squares) ** 0.5 if squares > 0 else 0.0
        ratings: NDArray[np.float64] = vectors.astype(np.float64) @ self.arrays.mean * scale
        return ratings

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        squares, count = self.arrays.tally.tolist()
        return {
            "squares": squares,
            "count": int(count),
            "mean": self.arrays.mean.copy(),
            "covariance": self.arrays.covariance.copy(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        tally = np.array([float(state["squares"]), float(state["count"])])
        self.arrays = TextArrays(tally, state["mean"].copy(), state["covariance"].copy())
