"""The text prior predicts a rating from an item's text."""

import numpy as np
import pytest

from models.rating.text_prior import (
    PRIOR_STRENGTH,
    TextPrior,
    learn_text,
    measure_vector,
    scale_vector,
    text_gain,
    text_rating,
)


def test_vectors_are_scaled_to_a_mean_square_of_one() -> None:
    """|v|² of 4 and 16 so far: the scale is √(2 / 20). A vector of zeros counts for nothing."""
    prior, x = TextPrior(2), np.full(2, np.nan)
    vector = np.array([3.0, 1.0], np.float32)
    scale_vector(prior.arrays, vector, x)
    assert x.tolist() == [0.0, 0.0]
    for seen in ([2.0, 0.0], [0.0, 0.0], [0.0, -4.0]):
        measure_vector(prior.arrays, np.array(seen, np.float32))
    scale_vector(prior.arrays, vector, x)
    assert x == pytest.approx(vector * (2 / 20) ** 0.5)


def test_one_step_by_hand() -> None:
    """P = I / 40, x = (4, 2): Px = (.1, .05), x·Px = .5. With e = 3 and S = 1.5, β = Px · 2."""
    prior, x, gain = TextPrior(2), np.array([4.0, 2.0]), np.zeros(2)
    assert text_gain(prior.arrays, x, gain) == pytest.approx(0.5)
    assert gain == pytest.approx([0.1, 0.05])
    learn_text(prior.arrays, gain, 3.0, 1.5)
    assert prior.arrays.mean == pytest.approx([0.2, 0.1])
    assert text_rating(prior.arrays, x) == pytest.approx(1.0)
    left = np.eye(2) / PRIOR_STRENGTH - np.outer(gain, gain) / 1.5
    assert prior.arrays.covariance == pytest.approx(left)


def test_recursive_equals_ridge_regression() -> None:
    rng, prior, gain = np.random.default_rng(0), TextPrior(5), np.zeros(5)
    X, y = rng.normal(size=(200, 5)), rng.normal(size=200)
    for x, value in zip(X, y, strict=True):
        variance = text_gain(prior.arrays, x, gain)
        learn_text(prior.arrays, gain, value - text_rating(prior.arrays, x), 1.0 + variance)
    beta = np.linalg.solve(X.T @ X + PRIOR_STRENGTH * np.eye(5), X.T @ y)
    assert prior.arrays.mean == pytest.approx(beta)


def test_a_state_goes_on_alike() -> None:
    one, two, gain = TextPrior(2), TextPrior(2), np.zeros(2)
    vector = np.array([1.0, 2.0], np.float32)
    measure_vector(one.arrays, vector)
    text_gain(one.arrays, vector.astype(np.float64), gain)
    learn_text(one.arrays, gain, 1.0, 2.0)
    two.load(one.state())
    assert one.predict_all(vector[None]).tolist() == two.predict_all(vector[None]).tolist() != [0.0]
    assert isinstance(one.state()["count"], int)
