"""Learn each user's taste: a Kalman filter for each user, over bias, mood, and weights on the item."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import CheckpointedRows, Rows
from models.tables.catalogue import grown

BIAS_STRENGTH = 8.0
MOOD_STRENGTH = 6.0
POPULARITY_STRENGTH = 20.0
CROWD_STRENGTH = 4.0
TASTE_STRENGTH = 3.0
"""The number of events that the belief "this user's weight is 0" counts as. Its variance is 1 / strength, in units of
the noise."""

MOOD_SECONDS = 600.0
BIAS, MOOD, POPULARITY, CROWD = 0, 1, 2, 3
LEADING = 4
"""Weights of θ before those on the item vector."""


class TasteArrays(NamedTuple):
    """Beliefs θ_u ~ N(mean, covariance) by user row. m = 4 + k weights, k of them on the item vector."""

    known: NDArray[np.bool_]
    """(users,)"""
    time: NDArray[np.float64]
    """(users,): the time for which the mood's weight holds, seconds since the epoch."""
    mean: NDArray[np.float32]
    """(users, m)"""
    covariance: NDArray[np.float32]
    """(users, m (m + 1) / 2): the lower triangle row after row. Entry (i, j) with j ≤ i is at i (i + 1) / 2 + j."""


@kernel
def prior_variance(weight: int) -> float:
    """Return the prior variance of a weight, by its place in θ, in units of the noise."""
    if weight == BIAS:
        return 1.0 / BIAS_STRENGTH
    if weight == MOOD:
        return 1.0 / MOOD_STRENGTH
    if weight == POPULARITY:
        return 1.0 / POPULARITY_STRENGTH
    if weight == CROWD:
        return 1.0 / CROWD_STRENGTH
    return 1.0 / TASTE_STRENGTH


@kernel
def mood_left(taste: TasteArrays, user: int, time: float) -> float:
    """Return exp(-Δt / MOOD_SECONDS), the share of the mood that is left at `time` (seconds); 1 for an earlier time."""
    return np.exp(-max(time - taste.time[user], 0.0) / MOOD_SECONDS)  # type: ignore[no-any-return]


@kernel
def taste_at(taste: TasteArrays, user: int, time: float, theta: NDArray[Any]) -> None:
    """Write θ_u (m,) at `time` (seconds) and change no table. It is 0 for the user -1 and for one without ratings."""
    if user < 0 or not taste.known[user]:
        theta[:] = 0.0
        return
    for n in range(len(theta)):
        theta[n] = taste.mean[user, n]
    theta[MOOD] *= mood_left(taste, user, time)


@kernel
def advance_taste(taste: TasteArrays, user: int, time: float) -> None:
    """Move the user's belief to `time` (seconds). A new user begins with the prior.

    The mood is an Ornstein-Uhlenbeck process. With the share f that is left, its weight w becomes f w, its covariances
    c become f c, and its variance v becomes f² v + (1 - f²) / MOOD_STRENGTH.
    """
    size = taste.mean.shape[1]
    if not taste.known[user]:
        taste.known[user], taste.time[user] = True, time
        taste.mean[user] = 0.0
        taste.covariance[user] = 0.0
        for n in range(size):
            taste.covariance[user, n * (n + 1) // 2 + n] = prior_variance(n)
        return
    left = mood_left(taste, user, time)
    if left < 1.0:
        taste.time[user] = time
        taste.mean[user, MOOD] *= left
        P = taste.covariance[user]
        P[1] *= left  # with the bias
        P[2] = P[2] * left * left + (1.0 - left * left) / MOOD_STRENGTH
        for n in range(MOOD + 1, size):
            P[n * (n + 1) // 2 + MOOD] *= left


@kernel
def taste_gain(taste: TasteArrays, user: int, phi: NDArray[Any], gain: NDArray[Any]) -> float:
    """Write Pφ into `gain`, (m,), and return φ·Pφ, the variance of θ_u · φ in units of the noise. phi: φ (m,)."""
    P, start = taste.covariance[user], 0
    for row in range(len(phi)):
        x, product = phi[row], 0.0
        for n in range(row):
            product += P[start + n] * phi[n]
            gain[n] += P[start + n] * x
        gain[row] = product + P[start + row] * x
        start += row + 1
    total = 0.0
    for n in range(len(phi)):
        total += gain[n] * phi[n]
    return total


@kernel
def taste_variances(taste: TasteArrays, user: int, variances: NDArray[Any]) -> None:
    """Write the variances (k,) of the user's weights on the item vector."""
    for n in range(len(variances)):
        row = LEADING + n
        variances[n] = taste.covariance[user, row * (row + 1) // 2 + row]


@kernel
def learn_taste(taste: TasteArrays, user: int, gain: NDArray[Any], error: float, innovation: float) -> None:
    """Take one step of recursive least squares:   θ_u += Pφ e / S,   P -= Pφ (Pφ)ᵀ / S.

    gain: Pφ (m,). error: e, observed minus predicted. innovation: S, the variance of e in units of the noise. Source:
    Kalman (1960), "A new approach to linear filtering and prediction problems".

    A new user, an item without a vector, and φ = [1, 0, 0, 0]: an error of 1 moves the bias by 1 / (1 + 8):

    >>> taste, gain = UserTaste(width=0), np.zeros(LEADING)
    >>> taste.reserve(1)
    >>> advance_taste(taste.arrays, 0, 0.0)
    >>> variance = taste_gain(taste.arrays, 0, np.array([1.0, 0.0, 0.0, 0.0]), gain)
    >>> learn_taste(taste.arrays, 0, gain, 1.0, 1.0 + variance)
    >>> [round(9 * float(weight), 5) for weight in taste.arrays.mean[0]]
    [1.0, 0.0, 0.0, 0.0]
    """
    P, start = taste.covariance[user], 0
    for row in range(len(gain)):
        share = gain[row] / innovation
        taste.mean[user, row] += share * error
        for n in range(row + 1):
            P[start + n] -= share * gain[n]
        start += row + 1


class UserTaste(CheckpointedRows):
    """Users' tastes, shared by all domains: residual ≈ θ_u · φ with φ = [1, 1, popularity, crowd, x]. θ_u holds

    - the user's bias,
    - the mood: what the ratings of one visit have in common, an Ornstein-Uhlenbeck process that fades as
      exp(-Δt / MOOD_SECONDS) while its variance returns to 1 / MOOD_STRENGTH,
    - how much more than others the user likes popular items, and agrees with the mean rating of items,
    - the weights on the item vector x.

    With P the covariance of θ_u (noise variance 1):   S = 1 + φ·Pφ + (other parts' variance),
    θ_u += Pφ e / S,   P -= Pφ (Pφ)ᵀ / S. This is recursive least squares, exact if all other parts are known.
    Sources: Kalman (1960); Sun, Varshney and Subbian (2012), "Dynamic matrix factorization".
    """

    def __init__(self, width: int) -> None:
        """Begin without users. width: k, weights on the item vector."""
        size = LEADING + width
        self.written = DirtyKeys()
        """Dirty user rows."""
        self.arrays = TasteArrays(
            np.zeros(0, np.bool_),
            np.zeros(0, np.float64),
            np.zeros((0, size), np.float32),
            np.zeros((0, size * (size + 1) // 2), np.float32),
        )

    def reserve(self, rows: int) -> None:
        """Make room for this many users."""
        if rows > len(self.arrays.known):
            self.arrays = TasteArrays(*(grown(table, rows) for table in self.arrays))

    def end_future(self, now: float) -> None:
        """Set every time after `now` (seconds) to `now`."""
        wrong = np.flatnonzero(self.arrays.time > now)
        self.arrays.time[wrong] = now
        self.written.update(wrong.tolist())

    def drop_user(self, user: int) -> None:
        """Empty a user's row."""
        if user < len(self.arrays.known):
            for table in self.arrays:
                table[user] = 0

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {name: Rows(self.written, table) for name, table in self.arrays._asdict().items()}

    def load(self, state: dict[str, Any]) -> None:
        """Replace every row. A state of an earlier version holds whole covariances, (users, m, m)."""
        tables = [state[name].copy() for name in TasteArrays._fields]
        if tables[-1].ndim > 2:
            rows, columns = np.tril_indices(tables[-1].shape[1])
            tables[-1] = np.ascontiguousarray(tables[-1][:, rows, columns])
        self.arrays = TasteArrays(*tables)
