"""A taste's state and increments round trip, and states of earlier versions load."""

import numpy as np
import pytest

from models.rating.user_taste import UserTaste
from models.state.merging import merged
from models.state.snapshot import mark_clean
from tests.support.learners.states import differences, read_back
from tests.unit.models.rating.test_user_taste import (
    covariance,
    exact,
    learn,
    of_prior,
    random_features,
    theta,
    with_belief,
)


def test_state_and_increments_round_trip() -> None:
    """Users without ratings, with few, with many, and dropped ones."""
    rng, taste, other = np.random.default_rng(7), UserTaste(3), UserTaste(3)
    ratings = {0: 3, 1: 50, 2: 20, 5: 1}
    for user, count in ratings.items():
        for _ in range(count):
            learn(taste, user, random_features(rng, 3), rng.normal(), time=1.0)
    base = read_back(taste.live())
    other.load(base)
    assert differences(other.state(), taste.state()) == []
    mark_clean(other.live(), base)
    for user in (0, 2, 3):
        learn(other, user, random_features(rng, 3), 1.0, time=700.0)
    other.written.update([0, 2, 3])
    other.drop_user(1)
    other.written.drop(1)
    assert differences(merged(base, [read_back(other.live(), increment=True)]), other.state()) == []
    taste.load(other.state())
    for user in range(6):
        assert theta(taste, user, 900.0).tolist() == theta(other, user, 900.0).tolist()


def test_a_state_with_more_digits_is_written_anew() -> None:
    """Steps of 16 bits become steps of 8, and the next increment holds all of them: the two must not be mixed."""
    rng, early, now = np.random.default_rng(8), exact(3), UserTaste(3)
    for user in (0, 0, 1):
        learn(early, user, random_features(rng, 3), 1.0, time=1.0)
    base = read_back(early.live())
    now.load(base)
    for user in (0, 1):
        np.testing.assert_allclose(theta(now, user, 1.0), theta(early, user, 1.0), atol=0.01)
    mark_clean(now.live(), base)
    learn(now, 1, random_features(rng, 3), 1.0, time=2.0)
    now.written.add(1)
    again = UserTaste(3)
    again.load(merged(base, [read_back(now.live(), increment=True)]))
    for user in (0, 1):
        assert theta(again, user, 2.0).tolist() == theta(now, user, 2.0).tolist()


def test_a_state_with_whole_matrices_loads() -> None:
    """The earliest version kept (users, m, m)."""
    matrix = np.diag(of_prior(1)) + 0.01
    taste, early = with_belief(np.arange(5.0), matrix), UserTaste(1)
    early.load(
        {
            "known": np.array([False, True]),
            "time": np.array([0.0, 4.0]),
            "mean": np.arange(10.0, dtype=np.float32).reshape(2, 5) % 5,
            "covariance": np.stack([np.zeros((5, 5)), matrix]).astype(np.float32),
        }
    )
    assert covariance(early, 1) == pytest.approx(covariance(taste, 0))
    assert theta(early, 1, 4.0).tolist() == theta(taste, 0, 0.0).tolist()
    assert not theta(early, 0, 4.0).any()
