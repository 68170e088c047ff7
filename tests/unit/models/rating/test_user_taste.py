"""A user's taste equals batch Bayesian regression, with a fading mood and bounded memory."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.rating.model import TASTE_WIDTH
from models.rating.user_taste import (
    LEADING,
    MOOD,
    MOOD_SECONDS,
    UserTaste,
    advance_taste,
    learn_taste,
    mood_left,
    prior_variance,
    taste_at,
    taste_gain,
    taste_variances,
)

WEEK = 7 * 86400.0
Floats = NDArray[np.float64]


def room(taste: UserTaste) -> Floats:
    return np.full(taste.arrays.mean.shape[1], np.nan)


def theta(taste: UserTaste, user: int, time: float) -> Floats:
    out = room(taste)
    taste_at(taste.arrays, user, time, out)
    return out


def learn(taste: UserTaste, user: int, phi: Floats, y: float, *, time: float) -> None:
    """Learn one event that only this user's θ explains."""
    taste.reserve(user + 1)
    error, gain = y - float(theta(taste, user, time) @ phi), room(taste)
    advance_taste(taste.arrays, user, time)
    variance = taste_gain(taste.arrays, user, phi, gain)
    learn_taste(taste.arrays, user, gain, error, 1.0 + variance)


def features(popularity: float, crowd: float, x: Floats) -> Floats:
    return np.concatenate([[1.0, 1.0, popularity, crowd], x])


def random_features(rng: np.random.Generator, width: int) -> Floats:
    return features(rng.normal(), rng.normal() / 3, rng.normal(size=width) / width**0.5)


def covariance(taste: UserTaste, user: int) -> Floats:
    """Return the whole matrix (m, m)."""
    size = taste.arrays.mean.shape[1]
    whole = np.zeros((size, size))
    rows, columns = np.tril_indices(size)
    whole[rows, columns] = whole[columns, rows] = taste.arrays.covariance[user]
    return whole


def test_gain_and_step_by_hand() -> None:
    """P = [[2, 1, …]] on the first two weights, φ = (1, 3): Pφ = (5, 10), φ·Pφ = 35, S = 40, e = 8."""
    taste = UserTaste(1)
    taste.reserve(1)
    taste.arrays.covariance[0, :3] = 2.0, 1.0, 3.0
    phi, gain = np.array([1.0, 3.0, 0.0, 0.0, 0.0]), room(taste)
    assert taste_gain(taste.arrays, 0, phi, gain) == 35.0
    assert gain.tolist() == [5.0, 10.0, 0.0, 0.0, 0.0]
    learn_taste(taste.arrays, 0, gain, 8.0, 40.0)
    assert taste.arrays.mean[0].tolist() == [1.0, 2.0, 0.0, 0.0, 0.0]
    assert taste.arrays.covariance[0, :3].tolist() == [2.0 - 25 / 40, 1.0 - 50 / 40, 3.0 - 100 / 40]


def test_mood_by_hand() -> None:
    """After half of the mood is gone, its weight and covariances are halved, and v → v / 4 + (1 - 1/4) / 6."""
    taste = UserTaste(1)
    taste.reserve(1)
    advance_taste(taste.arrays, 0, 0.0)
    half = MOOD_SECONDS * np.log(2.0)
    assert mood_left(taste.arrays, 0, half) == pytest.approx(0.5)
    assert mood_left(taste.arrays, 0, -half) == 1.0
    taste.arrays.mean[0, MOOD] = 1.0
    taste.arrays.covariance[0] = 1.0
    advance_taste(taste.arrays, 0, half)
    assert taste.arrays.mean[0, MOOD] == pytest.approx(0.5)
    assert taste.arrays.time[0] == half
    whole = covariance(taste, 0)
    assert whole[MOOD] == pytest.approx([0.5, 0.25 + 0.75 / 6, 0.5, 0.5, 0.5])
    assert np.delete(np.delete(whole, MOOD, 0), MOOD, 1).tolist() == np.ones((4, 4)).tolist()


def test_a_new_user_has_the_variances_of_the_prior() -> None:
    taste, variances = UserTaste(3), np.zeros(3)
    taste.reserve(1)
    advance_taste(taste.arrays, 0, 7.0)
    priors = [1 / 8, 1 / 6, 1 / 20, 1 / 4, 1 / 3, 1 / 3, 1 / 3]
    assert [prior_variance(n) for n in range(7)] == priors
    assert covariance(taste, 0) == pytest.approx(np.diag(priors))
    assert taste.arrays.time[0] == 7.0
    taste_variances(taste.arrays, 0, variances)
    assert variances == pytest.approx(priors[LEADING:])


def test_recursive_equals_batch_bayesian_regression() -> None:
    """At one instant the mood is constant, so the filter is ridge regression on φ."""
    rng = np.random.default_rng(1)
    taste = UserTaste(3)
    prior = np.diag([1 / prior_variance(n) for n in range(LEADING + 3)])
    phi = np.stack([random_features(rng, 3) for _ in range(40)])
    y = rng.normal(size=40)
    for row, value in zip(phi, y, strict=True):
        learn(taste, 0, row, value, time=5.0)
    assert theta(taste, 0, 5.0) == pytest.approx(np.linalg.solve(phi.T @ phi + prior, phi.T @ y), abs=1e-4)


def test_mood_fades_and_the_rest_stays() -> None:
    taste, phi = UserTaste(2), features(0.0, 0.0, np.array([1.0, 0.0]))
    for _ in range(10):
        learn(taste, 3, phi, 1.0, time=0.0)
    fresh = theta(taste, 3, 0.0)
    assert fresh[MOOD] > 0.1
    later = theta(taste, 3, MOOD_SECONDS)
    assert later[MOOD] == pytest.approx(fresh[MOOD] * np.exp(-1), rel=1e-6)
    assert np.delete(later, MOOD).tolist() == np.delete(fresh, MOOD).tolist()
    assert theta(taste, 3, WEEK)[MOOD] == pytest.approx(0.0, abs=1e-9)


def test_an_earlier_time_counts_as_now() -> None:
    """Events out of order must not make the mood grow."""
    taste, phi = UserTaste(1), features(0.0, 0.0, np.ones(1))
    learn(taste, 0, phi, 1.0, time=1000.0)
    assert theta(taste, 0, 0.0).tolist() == theta(taste, 0, 1000.0).tolist()
    learn(taste, 0, phi, 1.0, time=0.0)
    assert taste.arrays.time[0] == 1000.0


def test_unknown_users_have_no_taste_and_get_no_row() -> None:
    taste = UserTaste(2)
    assert not theta(taste, -1, 0.0).any()
    taste.reserve(8)
    assert not theta(taste, 7, 0.0).any()
    assert not taste.arrays.known.any()


def test_a_dropped_row_starts_anew() -> None:
    taste, other, phi = UserTaste(2), UserTaste(2), features(0.3, 0.1, np.array([0.5, -1.0]))
    for _ in range(5):
        learn(taste, 0, phi, 2.0, time=0.0)
    taste.drop_user(0)
    assert not theta(taste, 0, 0.0).any()
    assert not any(table[0].any() for table in taste.arrays)
    learn(taste, 0, phi, 1.0, time=9.0)
    learn(other, 0, phi, 1.0, time=9.0)
    assert np.array_equal(taste.arrays.mean[0], other.arrays.mean[0])
    assert np.array_equal(taste.arrays.covariance[0], other.arrays.covariance[0])


def test_no_time_lies_after_now() -> None:
    taste, phi = UserTaste(1), features(0.0, 0.0, np.ones(1))
    learn(taste, 0, phi, 1.0, time=50.0)
    learn(taste, 1, phi, 1.0, time=10.0)
    taste.end_future(20.0)
    assert taste.arrays.time[:2].tolist() == [20.0, 10.0]


def test_covariance_stays_positive_over_a_long_life() -> None:
    """After 5,000 updates in float32 the covariance is still positive."""
    rng = np.random.default_rng(2)
    taste = UserTaste(TASTE_WIDTH)
    for n in range(5000):
        learn(taste, 0, random_features(rng, TASTE_WIDTH), rng.normal(), time=30.0 * n)
    assert np.linalg.eigvalsh(covariance(taste, 0)).min() > 0


def test_a_user_costs_less_than_a_kilobyte() -> None:
    taste = UserTaste(TASTE_WIDTH)
    taste.reserve(64)
    assert sum(table.nbytes for table in taste.arrays) / 64 == 1 + 8 + 20 * 4 + 210 * 4
