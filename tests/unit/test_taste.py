"""Per-user taste: equal to batch ridge regression, fading mood, bounded memory."""

import numpy as np
import pytest

from models.taste import MOOD_SECONDS, MOOD_VARIANCE, TASTE_VARIANCE, Taste

HOUR = 3600.0


def learn(taste: Taste, user: int, x: np.ndarray, y: float, *, time: float) -> None:
    error = y - taste.mood(user, time) - float(taste.affinity(user, x))
    taste.advance(user, time)
    gain, spread = taste.spread(user, x)
    taste.learn(user, gain, error, 0.5 + spread)


def test_recursive_equals_batch_bayesian_regression() -> None:
    """At one instant the mood is constant, so the filter is ridge regression on [1, x]."""
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    taste = Taste(3)
    for row, value in zip(X, y, strict=True):
        learn(taste, 0, row, value, time=5.0)
    phi = np.c_[np.ones(40), X]
    prior = np.diag(1 / np.array([MOOD_VARIANCE] + [TASTE_VARIANCE] * 3))
    expected = np.linalg.solve(phi.T @ phi / 0.5 + prior, phi.T @ y / 0.5)
    assert taste.mean[0] == pytest.approx(expected, abs=1e-4)


def test_mood_fades_and_taste_stays() -> None:
    taste, x = Taste(2), np.array([1.0, 0.0])
    for _ in range(10):
        learn(taste, 3, x, 1.0, time=0.0)
    fresh, affinity = taste.mood(3, 0.0), float(taste.affinity(3, x))
    assert fresh > 0.1
    assert taste.mood(3, MOOD_SECONDS) == pytest.approx(fresh * np.exp(-1), rel=1e-5)
    assert taste.mood(3, 100 * HOUR) == pytest.approx(0.0, abs=1e-9)
    assert float(taste.affinity(3, x)) == affinity


def test_an_earlier_time_counts_as_now() -> None:
    """Events out of order must not make the mood grow."""
    taste, x = Taste(1), np.ones(1)
    learn(taste, 0, x, 1.0, time=1000.0)
    assert taste.mood(0, 0.0) == taste.mood(0, 1000.0)
    learn(taste, 0, x, 1.0, time=0.0)
    assert taste.time[0] == 1000.0


def test_unknown_users_have_no_taste_and_get_no_row() -> None:
    taste = Taste(2)
    assert taste.mood(None, 0.0) == taste.mood(7, 0.0) == 0.0
    assert taste.affinity(7, np.ones((4, 2))).tolist() == [0.0] * 4
    assert len(taste.known) == 0


def test_a_dropped_row_starts_anew() -> None:
    taste, other, x = Taste(2), Taste(2), np.array([0.5, -1.0])
    for _ in range(5):
        learn(taste, 0, x, 2.0, time=0.0)
    taste.drop_user(0)
    assert float(taste.affinity(0, x)) == 0.0
    learn(taste, 0, x, 1.0, time=9.0)
    learn(other, 0, x, 1.0, time=9.0)
    assert np.array_equal(taste.mean[0], other.mean[0])
    assert np.array_equal(taste.covariance[0], other.covariance[0])


def test_covariance_stays_positive_over_a_long_life() -> None:
    rng = np.random.default_rng(2)
    taste = Taste(24)
    for n in range(3000):
        learn(taste, 0, rng.normal(size=24) / 5, rng.normal(), time=30.0 * n)
    assert np.linalg.eigvalsh(taste.covariance[0].astype(np.float64)).min() > 0


def test_a_user_costs_less_than_four_kilobytes() -> None:
    taste = Taste(24)
    taste.advance(0, 0.0)
    rows = len(taste.known)
    assert sum(v.nbytes for v in taste.state().values()) / rows < 4096
