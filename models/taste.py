"""Each user's taste: a Bayesian linear model of the residual on the item vector, shared by all domains."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.catalogue import grown

MOOD_VARIANCE = 0.1
MOOD_SECONDS = 600.0
TASTE_VARIANCE = 0.08


class Taste:
    """residual ≈ mood_u(t) + θ_u · x, one Kalman filter a user.

    θ_u ~ N(0, TASTE_VARIANCE) a coordinate, constant: recursive least squares. The mood is what a user's
    ratings of one visit have in common, an Ornstein-Uhlenbeck process: it fades as exp(-Δt / MOOD_SECONDS)
    while its variance returns to MOOD_VARIANCE. State [mood, θ], covariance P (rows, 1 + k, 1 + k):

        S = φ·Pφ + noise,   [mood, θ] += Pφ e / S,   P -= Pφ (Pφ)ᵀ / S,   φ = [1, x].

    Source: Kalman (1960); Dynamic matrix factorization, Sun, Varshney and Subbian (2012).
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.known = np.zeros(0, np.bool_)
        self.time = np.zeros(0, np.float64)
        self.mean = np.zeros((0, 1 + width), np.float32)
        self.covariance = np.zeros((0, 1 + width, 1 + width), np.float32)
        self._prior = np.diag([MOOD_VARIANCE] + [TASTE_VARIANCE] * width).astype(np.float32)

    def knows(self, user: int | None) -> bool:
        return user is not None and user < len(self.known) and bool(self.known[user])

    def mood(self, user: int | None, time: float) -> float:
        """What is left, at this time (s), of the user's last mood; 0 for an unknown user."""
        if user is None or not self.knows(user):
            return 0.0
        return float(self.mean[user, 0]) * self._fade(user, time)

    def affinity(self, user: int | None, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """θ_u · x for x (k,) or (n, k); zeros for an unknown user."""
        if user is None or not self.knows(user):
            return np.zeros(x.shape[:-1])
        result: NDArray[np.float64] = x @ self.mean[user, 1:].astype(np.float64)
        return result

    def _fade(self, user: int, time: float) -> float:
        return float(np.exp(-max(time - self.time[user], 0.0) / MOOD_SECONDS))

    def advance(self, user: int, time: float) -> None:
        """Moves the user's state to `time` (s), creating it for a new user. Call before `spread`."""
        if user >= len(self.known):
            for name in ("known", "time", "mean", "covariance"):
                setattr(self, name, grown(getattr(self, name), user + 1))
        if not self.known[user]:
            self.known[user], self.time[user] = True, time
            self.mean[user], self.covariance[user] = 0.0, self._prior
            return
        fade = self._fade(user, time)
        P = self.covariance[user]
        self.mean[user, 0] *= fade
        P[0] *= fade
        P[:, 0] *= fade
        P[0, 0] += MOOD_VARIANCE * (1.0 - fade * fade)
        self.time[user] = max(time, self.time[user])

    def spread(self, user: int, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Pφ (1 + k,) and φ·Pφ, the variance of mood + taste for this item."""
        phi = np.concatenate(([1.0], x))
        gain = self.covariance[user] @ phi
        return gain, float(phi @ gain)

    def learn(self, user: int, gain: NDArray[np.float64], error: float, innovation: float) -> None:
        """gain: Pφ from `spread`; error: observed less predicted; innovation: the variance S of the error."""
        self.mean[user] += gain * (error / innovation)
        self.covariance[user] -= np.multiply.outer(gain, gain / innovation)

    def drop_user(self, user: int) -> None:
        if user < len(self.known):
            self.known[user], self.time[user] = False, 0.0
            self.mean[user], self.covariance[user] = 0.0, 0.0

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name).copy() for name in ("known", "time", "mean", "covariance")}

    def load(self, state: dict[str, Any]) -> None:
        for name in ("known", "time", "mean", "covariance"):
            setattr(self, name, state[name].copy())
