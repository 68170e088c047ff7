"""Per-user taste: equal to batch Bayesian regression, fading mood, bounded memory."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.rating.model import TASTE_WIDTH
from models.rating.user_taste import LEADING, MOOD, MOOD_SECONDS, Taste, features

WEEK = 7 * 86400.0


def learn(taste: Taste, user: int, phi: NDArray[np.float64], y: float, *, time: float) -> None:
    """One event that nothing but this user's θ explains."""
    error = y - float(taste.theta(user, time) @ phi)
    taste.advance(user, time)
    gain, spread = taste.spread(user, phi)
    taste.learn(user, gain, error, 1.0 + spread)


def random_features(rng: np.random.Generator, width: int) -> NDArray[np.float64]:
    return features(rng.normal(), rng.normal() / 3, rng.normal(size=width) / width**0.5)


def test_recursive_equals_batch_bayesian_regression() -> None:
    """At one instant the mood is constant, so the filter is ridge regression on φ."""
    rng = np.random.default_rng(1)
    taste = Taste(3)
    prior = np.diag(1 / taste._prior.diagonal().astype(np.float64))
    phi = np.stack([random_features(rng, 3) for _ in range(40)])
    y = rng.normal(size=40)
    for row, value in zip(phi, y, strict=True):
        learn(taste, 0, row, value, time=5.0)
    assert taste.theta(0, 5.0) == pytest.approx(np.linalg.solve(phi.T @ phi + prior, phi.T @ y), abs=1e-4)


def test_mood_fades_and_the_rest_stays() -> None:
    taste, phi = Taste(2), features(0.0, 0.0, np.array([1.0, 0.0]))
    for _ in range(10):
        learn(taste, 3, phi, 1.0, time=0.0)
    fresh = taste.theta(3, 0.0)
    assert fresh[MOOD] > 0.1
    later = taste.theta(3, MOOD_SECONDS)
    assert later[MOOD] == pytest.approx(fresh[MOOD] * np.exp(-1), rel=1e-6)
    assert np.delete(later, MOOD).tolist() == np.delete(fresh, MOOD).tolist()
    assert taste.theta(3, WEEK)[MOOD] == pytest.approx(0.0, abs=1e-9)


def test_an_earlier_time_counts_as_now() -> None:
    """Events out of order must not make the mood grow."""
    taste, phi = Taste(1), features(0.0, 0.0, np.ones(1))
    learn(taste, 0, phi, 1.0, time=1000.0)
    assert taste.theta(0, 0.0).tolist() == taste.theta(0, 1000.0).tolist()
    learn(taste, 0, phi, 1.0, time=0.0)
    assert taste.time[0] == 1000.0


def test_unknown_users_have_no_taste_and_get_no_row() -> None:
    taste = Taste(2)
    assert not taste.theta(None, 0.0).any()
    assert not taste.theta(7, 0.0).any()
    assert len(taste.known) == 0


def test_a_dropped_row_starts_anew() -> None:
    taste, other, phi = Taste(2), Taste(2), features(0.3, 0.1, np.array([0.5, -1.0]))
    for _ in range(5):
        learn(taste, 0, phi, 2.0, time=0.0)
    taste.drop_user(0)
    assert not taste.theta(0, 0.0).any()
    learn(taste, 0, phi, 1.0, time=9.0)
    learn(other, 0, phi, 1.0, time=9.0)
    assert np.array_equal(taste.mean[0], other.mean[0])
    assert np.array_equal(taste.covariance[0], other.covariance[0])


def test_covariance_stays_positive_over_a_long_life() -> None:
    """5,000 float32 updates."""
    rng = np.random.default_rng(2)
    taste = Taste(TASTE_WIDTH)
    for n in range(5000):
        learn(taste, 0, random_features(rng, TASTE_WIDTH), rng.normal(), time=30.0 * n)
    assert np.linalg.eigvalsh(taste.covariance[0].astype(np.float64)).min() > 0


def test_a_user_costs_less_than_four_kilobytes() -> None:
    taste = Taste(TASTE_WIDTH)
    taste.advance(0, 0.0)
    assert sum(v.nbytes for v in taste.state().values()) / len(taste.known) < 4096
    assert taste.mean.shape[1] == LEADING + TASTE_WIDTH
