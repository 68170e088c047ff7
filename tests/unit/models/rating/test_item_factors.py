"""What ratings add to an item's text."""

import numpy as np
import pytest

from models.rating.item_factors import SHIFT_WORTH, ItemRecord


def learn(record: ItemRecord, item: int, theta: np.ndarray, y: float) -> None:
    """A rater whose taste θ is known exactly."""
    error = y - float(theta @ record.delta(item))
    record.claim(item)
    gain, spread = record.spread(item, theta, np.zeros(len(theta), np.float32))
    record.learn(item, gain, error, 1.0 + spread)


def test_a_shift_along_one_axis_is_ridge_regression() -> None:
    record, rng = ItemRecord(2), np.random.default_rng(0)
    thetas, y = rng.normal(size=20), rng.normal(size=20)
    for t, value in zip(thetas, y, strict=True):
        learn(record, 4, np.array([t, 0.0]), value)
    assert record.delta(4) == pytest.approx([thetas @ y / (thetas @ thetas + SHIFT_WORTH), 0.0], abs=1e-5)


def test_raters_without_taste_teach_no_shift() -> None:
    record = ItemRecord(3)
    learn(record, 0, np.zeros(3), 2.0)
    assert not record.delta(0).any()
    assert record.count[0] == 1


def test_popularity_is_the_log_count_against_the_average_event() -> None:
    """Events met counts 0, 1, 0."""
    record = ItemRecord(1)
    for item in (0, 0, 1):
        learn(record, item, np.ones(1), 0.0)
    mean = np.log1p([0, 1, 0]).mean()
    assert record.popularity(0) == pytest.approx((np.log(3) - mean) / 2)
    assert record.popularity(None) == record.popularity(99) == pytest.approx(-mean / 2)


def test_a_dropped_item_starts_anew() -> None:
    record, theta = ItemRecord(2), np.array([1.0, -1.0])
    learn(record, 0, theta, 1.0)
    once = record.delta(0).copy()
    record.drop_item(0)
    assert not record.delta(0).any()
    learn(record, 0, theta, 1.0)
    assert np.array_equal(record.delta(0), once)
    record.drop_item(10_000)
