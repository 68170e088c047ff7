"""Ratings teach how an item differs from its text."""

import numpy as np
import pytest

from models.rating.item_factors import (
    OFFSET_STRENGTH,
    ItemFactors,
    claim_item,
    count_rating,
    item_vector,
    learn_offset,
    log_popularity,
    offset_variance,
)


def offset(items: ItemFactors, item: int) -> np.ndarray:
    """δ_i (k,); zeros for the unknown item -1."""
    head = np.zeros(items.arrays.offset.shape[2])
    item_vector(items.arrays, 0, item, np.zeros(len(head)), head)
    return head


def learn(items: ItemFactors, item: int, theta: np.ndarray, y: float) -> None:
    """Learn a rating of a user whose taste θ is known exactly."""
    items.reserve(0, item + 1)
    error = y - float(theta @ offset(items, item))
    claim_item(items.arrays, 0, item)
    variance = offset_variance(items.arrays, 0, item, theta, np.zeros(len(theta)))
    learn_offset(items.arrays, 0, item, theta, error, 1.0 + variance)
    count_rating(items.arrays, 0, item)


def test_one_step_by_hand() -> None:
    """V = (1/12, 1/12), θ = (2, 0) known to (0, 3): the variance is 4/12 + 3/12; then e = 6 and S = 2."""
    items, theta = ItemFactors(1, 2), np.array([2.0, 0.0])
    items.reserve(0, 1)
    claim_item(items.arrays, 0, 0)
    assert offset_variance(items.arrays, 0, 0, theta, np.array([0.0, 3.0])) == pytest.approx(7 / 12)
    learn_offset(items.arrays, 0, 0, theta, 6.0, 2.0)
    assert items.arrays.offset[0, 0] == pytest.approx([2 / 12 * 6 / 2, 0.0])
    assert items.arrays.variance[0, 0] == pytest.approx([1 / 12 - (2 / 12) ** 2 / 2, 1 / 12])


def test_an_offset_along_one_axis_is_ridge_regression() -> None:
    items, rng = ItemFactors(1, 2), np.random.default_rng(0)
    thetas, y = rng.normal(size=20), rng.normal(size=20)
    for t, value in zip(thetas, y, strict=True):
        learn(items, 4, np.array([t, 0.0]), value)
    expected = thetas @ y / (thetas @ thetas + OFFSET_STRENGTH)
    assert offset(items, 4) == pytest.approx([expected, 0.0], abs=1e-5)


def test_an_item_is_its_text_and_what_ratings_add() -> None:
    items, head = ItemFactors(1, 2), np.zeros(2)
    items.reserve(0, 1)
    items.arrays.offset[0, 0] = 0.5, -1.0
    text = np.array([1.0, 2.0, 3.0])
    item_vector(items.arrays, 0, 0, text, head)
    assert head.tolist() == [1.5, 1.0]
    item_vector(items.arrays, 0, -1, text, head)
    assert head.tolist() == [1.0, 2.0]


def test_raters_without_taste_teach_no_offset() -> None:
    items = ItemFactors(1, 3)
    learn(items, 0, np.zeros(3), 2.0)
    assert not offset(items, 0).any()
    assert items.arrays.ratings[0, 0] == 1


def test_popularity_is_the_log_count_against_the_average_event() -> None:
    """The crowd's mean counts events whose items had 0, 1 and 0 ratings."""
    items = ItemFactors(2, 1)
    assert log_popularity(items.arrays, 0, -1) == 0.0
    for item in (0, 0, 1):
        learn(items, item, np.ones(1), 0.0)
    mean = np.log1p([0, 1, 0]).mean()
    assert log_popularity(items.arrays, 0, 0) == pytest.approx((np.log(3) - mean) / 2)
    assert log_popularity(items.arrays, 0, -1) == pytest.approx(-mean / 2)
    assert log_popularity(items.arrays, 0, 40) == pytest.approx(-mean / 2)
    assert log_popularity(items.arrays, 1, 0) == 0.0


def test_a_dropped_item_starts_anew() -> None:
    items, theta = ItemFactors(1, 2), np.array([1.0, -1.0])
    learn(items, 0, theta, 1.0)
    once = offset(items, 0)
    items.drop_item(0, 0)
    assert not offset(items, 0).any()
    learn(items, 0, theta, 1.0)
    assert np.array_equal(offset(items, 0), once)
    items.drop_item(0, 10_000)


def test_a_domain_that_grows_leaves_the_others_as_they_are() -> None:
    """Rows of all domains are in one array, but a state holds each domain's own."""
    items, theta = ItemFactors(2, 2), np.array([1.0, -1.0])
    learn(items, 2, theta, 1.0)
    before = items.state()
    items.reserve(1, 1000)
    after = items.state()
    for name in ("count", "offset", "variance"):
        assert np.array_equal(before[0][name], after[0][name])
        assert len(after[1][name]) == 1000
