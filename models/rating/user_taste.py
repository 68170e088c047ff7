"""Each user's taste: one Kalman filter a user over bias, mood, and weights on what is known of an item."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import Touched
from models.state.tracked_tables import LiveRows, Rows
from models.tables.catalogue import grown

BIAS_WORTH = 8.0
MOOD_WORTH = 6.0
POPULARITY_WORTH = 20.0
CROWD_WORTH = 4.0
TASTE_WORTH = 3.0
"""How many events the belief "this user's weight is 0" is worth; a variance is 1 / worth, in units of the noise."""

MOOD_SECONDS = 600.0
MOOD = 1
LEADING = 4


def features(popularity: float, crowd: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """φ = [1, 1, popularity, crowd, x] (4 + k,)."""
    phi = np.empty(LEADING + len(x))
    phi[:LEADING] = 1.0, 1.0, popularity, crowd
    phi[LEADING:] = x
    return phi


class Taste(LiveRows):
    """residual ≈ θ_u · φ,  φ = [1, 1, popularity, crowd, x], shared by all domains. θ_u holds

    - the user's bias,
    - the mood: what the ratings of one visit have in common, an Ornstein-Uhlenbeck process that fades as
      exp(-Δt / MOOD_SECONDS) while its variance returns to 1 / MOOD_WORTH,
    - how much more than others the user likes popular items, and agrees with the crowd's verdict on items,
    - the weights on the item vector x.

    With P the covariance of θ_u (noise variance 1):   S = 1 + φ·Pφ + (other parts' variance),
    θ_u += Pφ e / S,   P -= Pφ (Pφ)ᵀ / S: recursive least squares, exact for a user seen alone.
    Source: Kalman (1960); Sun, Varshney and Subbian (2012), "Dynamic matrix factorization".
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.written = Touched()
        """User rows."""
        size = LEADING + width
        self.known = np.zeros(0, np.bool_)
        self.time = np.zeros(0, np.float64)
        self.mean = np.zeros((0, size), np.float32)
        self.covariance = np.zeros((0, size, size), np.float32)
        worth = [BIAS_WORTH, MOOD_WORTH, POPULARITY_WORTH, CROWD_WORTH] + [TASTE_WORTH] * width
        self._prior = np.diag(1.0 / np.array(worth)).astype(np.float32)

    def theta(self, user: int | None, time: float) -> NDArray[np.float64]:
        """θ_u at this time (s), (4 + k,); zeros for an unknown user. Changes nothing."""
        if user is None or user >= len(self.known) or not self.known[user]:
            return np.zeros(LEADING + self.width)
        theta: NDArray[np.float64] = self.mean[user].astype(np.float64)
        theta[MOOD] *= self._fade(user, time)
        return theta

    def _fade(self, user: int, time: float) -> float:
        return float(np.exp(-max(time - float(self.time[user]), 0.0) / MOOD_SECONDS))

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
        if fade < 1.0:
            P = self.covariance[user]
            self.mean[user, MOOD] *= fade
            P[MOOD] *= fade
            P[:, MOOD] *= fade
            P[MOOD, MOOD] += (1.0 - fade * fade) / MOOD_WORTH
            self.time[user] = time

    def spread(self, user: int, phi: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Pφ (4 + k,) and φ·Pφ, the variance of θ_u · φ."""
        gain: NDArray[np.float64] = self.covariance[user] @ phi
        return gain, float(phi @ gain)

    def variances(self, user: int) -> NDArray[np.float32]:
        """The variances (k,) of the weights on x."""
        return np.diagonal(self.covariance[user])[LEADING:]

    def learn(self, user: int, gain: NDArray[np.float64], error: float, innovation: float) -> None:
        """gain: Pφ from `spread`; error: observed less predicted; innovation: the variance S of that error."""
        self.mean[user] += gain * (error / innovation)
        self.covariance[user] -= np.multiply.outer(gain, gain / innovation)

    def end_future(self, now: float) -> None:
        """No user's state is of a time after `now` (s)."""
        wrong = np.flatnonzero(self.time > now)
        self.time[wrong] = now
        self.written.update(wrong.tolist())

    def drop_user(self, user: int) -> None:
        if user < len(self.known):
            self.known[user], self.time[user] = False, 0.0
            self.mean[user], self.covariance[user] = 0.0, 0.0

    def live(self) -> dict[str, Any]:
        names = ("known", "time", "mean", "covariance")
        return {name: Rows(self.written, getattr(self, name)) for name in names}

    def load(self, state: dict[str, Any]) -> None:
        for name in ("known", "time", "mean", "covariance"):
            setattr(self, name, state[name].copy())
