"""Believe in weights of a user: a few kept learning steps at first, a whole covariance after many.

After n ratings a Kalman filter's covariance is its prior less n outer products, and its mean is a sum over the same n
vectors:   P = P_0 - Σ_s g_s g_sᵀ,   θ = Σ_s c_s g_s,   with g_s = Pφ / √S and c_s = e / √S of rating s. So a user of
few ratings keeps the vectors g_s instead of P. This is exact but for the rounding of g_s. With 8 bits the errors of
MovieLens's ratings are the same to four digits as with 16.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.tables.flat_blocks import leave_block, size_for, take_block

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
MOST = 32
"""Most steps of a user. They take as many bytes as a mean and a covariance of 20 weights."""
WHOLE = 127
"""Stands for the number of steps of a user who has a mean and a covariance instead."""


class TasteArrays(NamedTuple):
    """Beliefs θ_u ~ N(mean, P) by user row. m = 4 + k weights, k of them on the item vector."""

    time: NDArray[np.float64]
    """(users,): the time for which the mood's weight holds, seconds since the epoch."""
    steps: NDArray[np.int8]
    """(users,): the number of steps; 0 for a user without ratings; WHOLE."""
    begin: NDArray[np.int32]
    """(users,): the user's first step, or their row in `whole`."""
    gain: NDArray[Any]
    """(places, m): g_s of each step, whole numbers of `unit`; the mood's as it was at that rating."""
    fade: NDArray[np.float32]
    """(places,): the share of the step's mood that is left."""
    move: NDArray[np.float32]
    """(places,): c_s"""
    whole: NDArray[np.float32]
    """(rows, m + m (m + 1) / 2): the mean, then the lower triangle of P row after row. Entry (i, j) of the triangle
    with j ≤ i is at i (i + 1) / 2 + j."""
    sizes: NDArray[np.int64]
    """(sizes,): steps of a block."""
    left: NDArray[np.int32]
    """(sizes + 1, stack): blocks left behind, by size; rows of `whole` come last."""
    left_n: NDArray[np.int64]
    """(sizes + 1,)"""
    end: NDArray[np.int64]
    """(2,): the first place of no block, and the first row of `whole` that nobody has had."""
    prior: NDArray[np.float64]
    """(m,): prior variances, in units of the noise."""
    unit: NDArray[np.float64]
    """(m,): what 1 in `gain` stands for."""
    largest: int
    """The whole number that stands for √(prior variance), which no entry of a step exceeds."""


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
def mean_of(taste: TasteArrays, user: int, theta: NDArray[Any]) -> None:
    """Write θ_u (m,) as it was at the user's own time. The user has steps."""
    gain, fade, move, begin = taste.gain, taste.fade, taste.move, taste.begin[user]
    for n in range(len(theta)):
        theta[n] = 0.0
    mood = 0.0
    for step in range(begin, begin + taste.steps[user]):
        for n in range(len(theta)):
            theta[n] += move[step] * gain[step, n]
        mood += move[step] * fade[step] * gain[step, MOOD]
    theta[MOOD] = mood
    for n in range(len(theta)):
        theta[n] *= taste.unit[n]


@kernel
def taste_at(taste: TasteArrays, user: int, time: float, theta: NDArray[Any]) -> None:
    """Write θ_u (m,) at `time` (seconds) and change no table. It is 0 for the user -1 and for one without ratings."""
    if user < 0 or taste.steps[user] == 0:
        theta[:] = 0.0
        return
    if taste.steps[user] == WHOLE:
        row = taste.whole[taste.begin[user]]
        for n in range(len(theta)):
            theta[n] = row[n]
    else:
        mean_of(taste, user, theta)
    theta[MOOD] *= mood_left(taste, user, time)


@kernel
def advance_taste(taste: TasteArrays, user: int, time: float) -> None:
    """Move the user's belief to `time` (seconds). A new user begins with the prior.

    The mood is an Ornstein-Uhlenbeck process. With the share f that is left, its weight w becomes f w, its covariances
    c become f c, and its variance v becomes f² v + (1 - f²) / MOOD_STRENGTH. In steps, f multiplies the mood's entry of
    each g_s.
    """
    if taste.steps[user] == 0:
        taste.time[user] = time
        return
    left, begin = mood_left(taste, user, time), taste.begin[user]
    if left >= 1.0:
        return
    taste.time[user] = time
    if taste.steps[user] < WHOLE:
        for step in range(begin, begin + taste.steps[user]):
            taste.fade[step] *= left
        return
    size = len(taste.prior)
    taste.whole[begin, MOOD] *= left
    P = taste.whole[begin, size:]
    P[1] *= left  # with the bias
    P[2] = P[2] * left * left + (1.0 - left * left) / MOOD_STRENGTH
    for n in range(MOOD + 1, size):
        P[n * (n + 1) // 2 + MOOD] *= left


@kernel
def taste_gain(taste: TasteArrays, user: int, phi: NDArray[Any], gain: NDArray[Any]) -> float:
    """Write Pφ into `gain`, (m,), and return φ·Pφ, the variance of θ_u · φ in units of the noise. phi: φ (m,)."""
    size = len(phi)
    if taste.steps[user] == WHOLE:
        P, start = taste.whole[taste.begin[user], size:], 0
        for row in range(size):
            x, product = phi[row], 0.0
            for n in range(row):
                product += P[start + n] * phi[n]
                gain[n] += P[start + n] * x
            gain[row] = product + P[start + row] * x
            start += row + 1
    else:
        held, unit, begin = taste.gain, taste.unit, taste.begin[user]
        for n in range(size):
            gain[n] = taste.prior[n] * phi[n] / unit[n]
        for step in range(begin, begin + taste.steps[user]):
            product = (taste.fade[step] - 1.0) * held[step, MOOD] * unit[MOOD] * phi[MOOD]
            for n in range(size):
                product += held[step, n] * unit[n] * phi[n]
            for n in range(size):
                gain[n] -= product * held[step, n]
            gain[MOOD] += product * (1.0 - taste.fade[step]) * held[step, MOOD]
        for n in range(size):
            gain[n] *= unit[n]
    total = 0.0
    for n in range(size):
        total += gain[n] * phi[n]
    return total


@kernel
def taste_variances(taste: TasteArrays, user: int, variances: NDArray[Any]) -> None:
    """Write the variances (k,) of the user's weights on the item vector."""
    begin = taste.begin[user]
    if taste.steps[user] == WHOLE:
        for n in range(len(variances)):
            row = LEADING + n
            variances[n] = taste.whole[begin, len(taste.prior) + row * (row + 1) // 2 + row]
        return
    for n in range(len(variances)):
        variances[n] = taste.prior[LEADING + n]
    for step in range(begin, begin + taste.steps[user]):
        for n in range(len(variances)):
            entry = taste.gain[step, LEADING + n] * taste.unit[LEADING + n]
            variances[n] -= entry * entry


@kernel
def leave_steps(taste: TasteArrays, which: int, begin: int | np.int64) -> None:
    """Leave a block of size number `which` behind, empty: nothing of a user stays in it. There must be room."""
    for step in range(begin, begin + taste.sizes[which]):
        taste.gain[step, :] = 0
        taste.fade[step] = taste.move[step] = 0.0
    leave_block(taste.left, taste.left_n, which, begin)


@kernel
def copy_steps(taste: TasteArrays, was: np.int64, to: TasteArrays, begin: np.int64, steps: np.int64) -> None:
    """Copy so many steps from `was` on to `begin` of `to`, which may be the same tables."""
    for n in range(steps):
        for weight in range(len(taste.prior)):
            to.gain[begin + n, weight] = taste.gain[was + n, weight]
        to.fade[begin + n], to.move[begin + n] = taste.fade[was + n], taste.move[was + n]


@kernel
def pack_steps(taste: TasteArrays, packed: TasteArrays) -> None:
    """Copy all steps to `packed`, one block after the other. Its places, `begin` and `end` are written."""
    for user in range(len(taste.begin)):
        steps, begin, was = np.int64(taste.steps[user]), packed.end[0], np.int64(taste.begin[user])
        if 0 < steps < WHOLE:
            copy_steps(taste, was, packed, begin, steps)
            packed.begin[user] = begin
            packed.end[0] += taste.sizes[size_for(taste.sizes, steps)]


@kernel
def become_whole(taste: TasteArrays, user: int) -> None:
    """Give a user a mean and a covariance instead of steps. There must be room."""
    size, begin = len(taste.prior), taste.begin[user]
    row = take_block(taste.left, taste.left_n, taste.end[1:], len(taste.sizes), 1)
    mean_of(taste, user, taste.whole[row, :size])
    P, start = taste.whole[row, size:], 0
    for i in range(size):
        for j in range(i + 1):
            total = taste.prior[i] if i == j else 0.0
            for step in range(begin, begin + taste.steps[user]):
                left = (taste.fade[step] if i == MOOD else 1.0) * (taste.fade[step] if j == MOOD else 1.0)
                product = np.float64(taste.gain[step, i]) * taste.gain[step, j]
                total -= left * product * taste.unit[i] * taste.unit[j]
            P[start + j] = total
        start += i + 1
    leave_steps(taste, size_for(taste.sizes, np.int64(taste.steps[user])), begin)
    taste.begin[user], taste.steps[user] = row, WHOLE


@kernel
def add_step(taste: TasteArrays, user: int, gain: NDArray[Any], error: float, innovation: float) -> None:
    """Keep a step of a user with fewer than MOST; see `learn_taste`. There must be room."""
    have, was = np.int64(taste.steps[user]), np.int64(taste.begin[user])
    held = size_for(taste.sizes, have) if have > 0 else -1
    if have == 0 or have == taste.sizes[held]:
        begin = take_block(taste.left, taste.left_n, taste.end, held + 1, taste.sizes[held + 1])
        copy_steps(taste, was, taste, begin, have)
        if have > 0:
            leave_steps(taste, held, was)
        taste.begin[user] = begin
    step, root = taste.begin[user] + have, np.sqrt(innovation)
    for n in range(len(gain)):
        entry = np.rint(gain[n] / (root * taste.unit[n]))
        taste.gain[step, n] = min(max(entry, -taste.largest), taste.largest)
    taste.fade[step], taste.move[step] = 1.0, error / root
    taste.steps[user] = have + 1


@kernel
def learn_taste(taste: TasteArrays, user: int, gain: NDArray[Any], error: float, innovation: float) -> None:
    """Take one step of recursive least squares:   θ_u += Pφ e / S,   P -= Pφ (Pφ)ᵀ / S.

    gain: Pφ (m,). error: e, observed minus predicted. innovation: S, the variance of e in units of the noise. There
    must be room for the step. Source: Kalman (1960), "A new approach to linear filtering and prediction problems".

    A new user, an item without a vector, and φ = [1, 0, 0, 0]: an error of 1 moves the bias by 1 / (1 + 8):

    >>> from models.rating.user_taste import UserTaste
    >>> taste, gain, theta = UserTaste(0, np.int16), np.zeros(LEADING), np.zeros(LEADING)
    >>> taste.make_room(np.array([0]))
    >>> advance_taste(taste.arrays, 0, 0.0)
    >>> variance = taste_gain(taste.arrays, 0, np.array([1.0, 0.0, 0.0, 0.0]), gain)
    >>> learn_taste(taste.arrays, 0, gain, 1.0, 1.0 + variance)
    >>> taste_at(taste.arrays, 0, 0.0, theta)
    >>> [round(9 * float(weight), 3) for weight in theta]
    [1.0, 0.0, 0.0, 0.0]
    """
    if taste.steps[user] < MOST:
        add_step(taste, user, gain, error, innovation)
        return
    if taste.steps[user] == MOST:
        become_whole(taste, user)
    row, start = taste.whole[taste.begin[user]], len(gain)
    for i in range(len(gain)):
        share = gain[i] / innovation
        row[i] += share * error
        for j in range(i + 1):
            row[start + j] -= share * gain[j]
        start += i + 1
