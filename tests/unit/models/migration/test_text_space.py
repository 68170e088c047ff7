"""What was learned on old vectors says the same on new ones, as far as a linear map can tell."""

from __future__ import annotations

import numpy as np
import pytest

from models.migration.text_space import PRIOR_ITEMS, fit_map, mapped_belief, mapped_tastes, ridge
from models.rating.taste_steps import (
    LEADING,
    TASTE_STRENGTH,
    advance_taste,
    become_whole,
    learn_taste,
    taste_at,
    taste_gain,
)
from models.rating.user_taste import UserTaste
from models.tables.flat_blocks import with_blocks, with_rows

RNG = np.random.default_rng(0)


def test_few_items_give_a_small_map() -> None:
    """One item cannot tell how two spaces are connected: its map is 1 / (1 + 4/k)-small, not a wrong guess."""
    old, new = RNG.standard_normal((1, 3)), RNG.standard_normal((1, 3))
    found = ridge(new, old)
    shrunk = 1 / (1 + PRIOR_ITEMS / 3)
    assert np.allclose(new @ found, shrunk * old)
    assert np.array_equal(ridge(np.zeros((0, 3)), np.zeros((0, 3))), np.zeros((3, 3)))


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_maps_between_spaces_that_see_the_same(scale: float) -> None:
    """Weights and offsets give the same products in the new space, whatever the length of its vectors."""
    old = RNG.standard_normal((4000, 6))
    turn = np.linalg.qr(RNG.standard_normal((6, 6)))[0]
    carry = fit_map(old, scale * old @ turn, 6)
    weights, offset = RNG.standard_normal(6), RNG.standard_normal(6)
    assert carry.scale == pytest.approx(1 / scale)
    assert carry.explained == pytest.approx(1.0, abs=1e-4)
    assert np.allclose(old @ weights, (old @ turn) @ (carry.weights @ weights), atol=0.02)
    assert (offset @ carry.offsets) @ (carry.leading @ weights) == pytest.approx(offset @ weights, abs=0.02)


def test_beliefs_stay_beliefs() -> None:
    """A mapped covariance is symmetric and positive, and for a turn it is the turned covariance."""
    factor = RNG.standard_normal((5, 5))
    covariance = factor @ factor.T / 50
    turn = np.linalg.qr(RNG.standard_normal((5, 5)))[0]
    assert np.allclose(mapped_belief(covariance, turn, 3.0), turn @ covariance @ turn.T)
    for matrix in (0.3 * turn, 2.0 * turn, RNG.standard_normal((5, 5))):
        found = mapped_belief(covariance, matrix, 3.0)
        assert np.allclose(found, found.T)
        assert np.linalg.eigvalsh(found).min() > 0


def test_early_tastes_by_hand() -> None:
    """In a state with covariances of every user, other weights and unknown users stay.

    The weight on the vector is halved; its variance becomes 1/4 P + 3/4 of the prior.
    """
    size = LEADING + 1
    places = np.arange(size) * (np.arange(size) + 3) // 2
    covariance = np.zeros((2, size * (size + 1) // 2), np.float32)
    covariance[0, places] = [0.1, 0.2, 0.3, 0.4, 0.08]
    covariance[0, places[-1] - size + 1] = 0.02  # with the bias
    taste = {
        "known": np.array([True, False]),
        "time": np.array([5.0, 0.0]),
        "mean": np.array([[1, 2, 3, 4, 5], [0, 0, 0, 0, 0]], np.float32),
        "covariance": covariance,
    }
    mapped = mapped_tastes(taste, np.array([[0.5]]))
    assert mapped["mean"].tolist() == [[1, 2, 3, 4, 2.5], [0] * 5]
    wanted = [0.1, 0.2, 0.3, 0.4, 0.08 / 4 + 0.75 / TASTE_STRENGTH]
    assert np.allclose(mapped["covariance"][0, places], wanted)
    assert mapped["covariance"][0, places[-1] - size + 1] == pytest.approx(0.01)
    assert not mapped["covariance"][1].any()
    assert mapped["mean"].dtype == mapped["covariance"].dtype == np.float32


def taught(ratings: int) -> UserTaste:
    """Return the taste of one user, row 0, who has rated so many items."""
    taste, rng = UserTaste(3, np.int16), np.random.default_rng(3)
    for n in range(ratings):
        taste.make_room(np.array([0]))
        phi, gain = rng.standard_normal(taste.size) / 2, np.zeros(taste.size)
        advance_taste(taste.arrays, 0, 60.0 * n)
        variance = taste_gain(taste.arrays, 0, phi, gain)
        learn_taste(taste.arrays, 0, gain, rng.standard_normal(), 1.0 + variance)
    return taste


@pytest.mark.parametrize("ratings", [3, 12])
def test_steps_say_what_a_covariance_says(ratings: int) -> None:
    """Whether a user's belief is mapped as steps or as a mean and a covariance, it is the same belief."""
    leading = 0.8 * np.linalg.qr(np.random.default_rng(5).standard_normal((3, 3)))[0]
    few, many = taught(ratings), taught(ratings)
    many.arrays = with_rows(with_blocks(many.arrays, 1), 1, ("whole",))
    become_whole(many.arrays, 0)
    found = []
    for taste in (few, many):
        again = UserTaste(3, np.int16)
        again.load(mapped_tastes(taste.state(), leading))
        theta, gain = np.zeros(taste.size), np.zeros(taste.size)
        taste_at(again.arrays, 0, 60.0 * ratings, theta)
        variance = taste_gain(again.arrays, 0, np.ones(taste.size) / 2, gain)
        found.append([*theta, *gain, variance])
    assert few.arrays.steps[0] == ratings
    np.testing.assert_allclose(found[0], found[1], atol=2e-4)
    assert np.abs(found[0]).max() > 0.05
