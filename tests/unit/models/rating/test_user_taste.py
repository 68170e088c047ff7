"""A user's taste equals batch Bayesian regression, with a fading mood and bounded memory."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.rating.model import TASTE_WIDTH
from models.rating.taste_steps import (
    LEADING,
    MOOD,
    MOOD_SECONDS,
    MOST,
    WHOLE,
    advance_taste,
    learn_taste,
    mood_left,
    prior_variance,
    taste_at,
    taste_gain,
    taste_variances,
)
from models.rating.user_taste import UserTaste
from tests.support.learners.states import differences

WEEK = 7 * 86400.0
Floats = NDArray[np.float64]


def exact(width: int) -> UserTaste:
    """Tastes that keep 16 bits of each step, so that little is rounded."""
    return UserTaste(width, np.int16)


def room(taste: UserTaste) -> Floats:
    return np.full(taste.size, np.nan)


def theta(taste: UserTaste, user: int, time: float) -> Floats:
    out = room(taste)
    taste_at(taste.arrays, user, time, out)
    return out


def learn(taste: UserTaste, user: int, phi: Floats, y: float, *, time: float) -> None:
    """One event that nothing but this user's θ explains."""
    taste.make_room(np.array([user]))
    error, gain = y - float(theta(taste, user, time) @ phi), room(taste)
    advance_taste(taste.arrays, user, time)
    variance = taste_gain(taste.arrays, user, phi, gain)
    learn_taste(taste.arrays, user, gain, error, 1.0 + variance)


def features(popularity: float, crowd: float, x: Floats) -> Floats:
    return np.concatenate([[1.0, 1.0, popularity, crowd], x])


def random_features(rng: np.random.Generator, width: int) -> Floats:
    return features(rng.normal(), rng.normal() / 3, rng.normal(size=width) / width**0.5)


def covariance(taste: UserTaste, user: int) -> Floats:
    """The whole matrix (m, m)."""
    matrix = np.empty((taste.size, taste.size))
    for n in range(taste.size):
        taste_gain(taste.arrays, user, np.eye(taste.size)[n], matrix[n])
    return matrix


def of_prior(width: int) -> Floats:
    return np.array([prior_variance(n) for n in range(LEADING + width)])


def with_belief(mean: Floats, matrix: Floats, time: float = 0.0) -> UserTaste:
    """A user with a mean and a covariance, as a state of an earlier version has them."""
    taste = UserTaste(len(mean) - LEADING)
    triangle = matrix[np.tril_indices(len(mean))]
    taste.load(
        {
            "known": np.array([True]),
            "time": np.array([time]),
            "mean": mean[None].astype(np.float32),
            "covariance": triangle[None].astype(np.float32),
        }
    )
    return taste


def test_gain_and_step_by_hand() -> None:
    """P = [[2, 1, …]] on the first two weights, φ = (1, 3): Pφ = (5, 10), φ·Pφ = 35, S = 40, e = 8."""
    matrix = np.zeros((5, 5))
    matrix[:2, :2] = [[2.0, 1.0], [1.0, 3.0]]
    taste = with_belief(np.zeros(5), matrix)
    phi, gain = np.array([1.0, 3.0, 0.0, 0.0, 0.0]), room(taste)
    assert taste_gain(taste.arrays, 0, phi, gain) == 35.0
    assert gain.tolist() == [5.0, 10.0, 0.0, 0.0, 0.0]
    learn_taste(taste.arrays, 0, gain, 8.0, 40.0)
    assert theta(taste, 0, 0.0).tolist() == [1.0, 2.0, 0.0, 0.0, 0.0]
    assert covariance(taste, 0)[:2, :2].tolist() == [
        [2.0 - 25 / 40, 1.0 - 50 / 40],
        [1.0 - 50 / 40, 3.0 - 100 / 40],
    ]


def test_mood_by_hand() -> None:
    """Half is left: the weight and its covariances halve, v → v / 4 + (1 - 1/4) / 6."""
    taste = with_belief(np.eye(5)[MOOD], np.ones((5, 5)))
    half = MOOD_SECONDS * np.log(2.0)
    assert mood_left(taste.arrays, 0, half) == pytest.approx(0.5)
    assert mood_left(taste.arrays, 0, -half) == 1.0
    advance_taste(taste.arrays, 0, half)
    assert theta(taste, 0, half)[MOOD] == pytest.approx(0.5)
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
    taste = exact(3)
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
    assert not taste.arrays.steps.any()


def test_a_dropped_row_starts_anew() -> None:
    taste, other, phi = UserTaste(2), UserTaste(2), features(0.3, 0.1, np.array([0.5, -1.0]))
    for _ in range(5):
        learn(taste, 0, phi, 2.0, time=0.0)
    taste.drop_user(0)
    assert not theta(taste, 0, 0.0).any()
    assert not any(table.any() for table in (taste.arrays.gain, taste.arrays.move, taste.arrays.time))
    learn(taste, 0, phi, 1.0, time=9.0)
    learn(other, 0, phi, 1.0, time=9.0)
    assert differences(taste.state(), other.state()) == []


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


@pytest.mark.parametrize("ratings", [1, 3, 12])
def test_few_ratings_cost_few_bytes(ratings: int) -> None:
    """Three hundred users who rate in turn: at most twice 13 bytes a user and 28 a rating."""
    rng, taste, other = np.random.default_rng(3), UserTaste(TASTE_WIDTH), UserTaste(TASTE_WIDTH)
    for _ in range(ratings):
        phi = random_features(rng, TASTE_WIDTH)
        for user in range(300):
            learn(taste, user, phi, user % 3, time=0.0)
        learn(other, 0, phi, 1.0, time=0.0)
    tables = [taste.arrays.time, taste.arrays.steps, taste.arrays.begin, *steps_of(taste)]
    assert sum(table.nbytes for table in tables) <= 2 * 300 * (13 + ratings * 28)
    assert not len(taste.arrays.whole)
    assert theta(taste, 298, 1.0).tolist() == theta(other, 0, 1.0).tolist()


def steps_of(taste: UserTaste) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
    return taste.arrays.gain, taste.arrays.fade, taste.arrays.move


@pytest.mark.parametrize("ratings", [1, 2, 7, MOST, MOST + 1, 60])
def test_steps_equal_a_covariance(ratings: int) -> None:
    """A user whose steps are kept, and one who has had a covariance from the start, with times between."""
    rng, kept = np.random.default_rng(4), exact(6)
    whole = with_belief(np.zeros(LEADING + 6), np.diag(of_prior(6)))
    for n in range(ratings):
        phi, value = random_features(rng, 6), rng.normal()
        for taste in (kept, whole):
            learn(taste, 0, phi, value, time=200.0 * n)
    assert (kept.arrays.steps[0] == WHOLE) == (ratings > MOST)
    now = 200.0 * ratings
    assert theta(kept, 0, now) == pytest.approx(theta(whole, 0, now), abs=1e-4)
    assert covariance(kept, 0) == pytest.approx(covariance(whole, 0), abs=1e-4)
    variances = [np.zeros(6), np.zeros(6)]
    for taste, out in zip((kept, whole), variances, strict=True):
        taste_variances(taste.arrays, 0, out)
    assert variances[0] == pytest.approx(np.diag(covariance(kept, 0))[LEADING:], abs=1e-6)
    assert variances[0] == pytest.approx(variances[1], abs=1e-4)


def test_blocks_are_used_again() -> None:
    """Many users come and go in a few rows: the tables stay as large as a few users need."""
    rng, taste = np.random.default_rng(5), UserTaste(2)
    for n in range(400):
        for _ in range(rng.integers(1, 30)):
            learn(taste, n % 4, random_features(rng, 2), 1.0, time=0.0)
        taste.drop_user((n + 1) % 4)
    assert taste.arrays.end[0] <= 4 * taste.arrays.sizes.sum()
    assert taste.arrays.end[1] <= 4


def test_room_for_a_batch_is_made_at_once() -> None:
    """Forty ratings of one user and one of another in a batch, after which nothing may have grown."""
    taste, rng = UserTaste(2), np.random.default_rng(6)
    users = np.array([7] * 40 + [3])
    taste.make_room(users)
    held = taste.arrays
    for user in users.tolist():
        gain = room(taste)
        advance_taste(held, user, 0.0)
        variance = taste_gain(held, user, random_features(rng, 2), gain)
        learn_taste(held, user, gain, 1.0, 1.0 + variance)
    assert held.end[0] <= len(held.move)
    assert (held.steps[7], held.steps[3]) == (WHOLE, 1)
    assert theta(taste, 3, 0.0).any()
