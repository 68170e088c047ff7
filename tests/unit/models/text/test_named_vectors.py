"""Vectors made elsewhere become item vectors by fixed random projections."""

from __future__ import annotations

import numpy as np
import pytest

from models.text.projection import NAMED_SCALE, Projection

DIM, LEADING = 32, 8


def projection() -> Projection:
    return Projection(DIM, LEADING, ("a", "b"))


def named(**given: list[float]) -> np.ndarray:
    out = projection().project_named({name: tuple(values) for name, values in given.items()})
    assert out is not None
    assert np.isfinite(out).all()
    return out


def test_no_named_vectors() -> None:
    """Without named vectors the result is None, not zeros."""
    assert projection().project_named({}) is None


def test_named_vectors_are_projected_the_same_way_always() -> None:
    """The projection depends on name and width alone, so it is the same in every process."""
    assert np.array_equal(named(image=[1, 2, 3]), named(image=[1, 2, 3]))
    assert not np.allclose(named(image=[1, 2, 3]), named(audio=[1, 2, 3]))
    assert np.allclose(named(image=[1, 2, 3], audio=[4, 5]), named(audio=[4, 5]) + named(image=[1, 2, 3]))


def test_named_vectors_keep_angles_and_forget_length() -> None:
    """The length does not count, and similar vectors stay similar (Johnson and Lindenstrauss)."""
    assert np.allclose(named(image=[1, 2, 3]), named(image=[10, 20, 30]), atol=1e-6)
    rng = np.random.default_rng(0)
    lengths = [np.linalg.norm(named(image=list(rng.standard_normal(50)))) for _ in range(200)]
    assert abs(np.mean(np.square(lengths)) ** 0.5 - NAMED_SCALE) < 0.1


@pytest.mark.parametrize(
    "values", [[1e308, -1e308], [1e200, 1.0], [5e-324, 0.0], [1e-200, 1e-200], [3e38, 1e39]]
)
def test_extreme_named_vectors_stay_finite(values: list[float]) -> None:
    """Values whose squares leave the range of a float have a normal vector."""
    assert 0 < np.linalg.norm(named(image=values)) < 2


def test_a_zero_named_vector() -> None:
    """A zero vector has no direction, so the item has no vector."""
    assert np.array_equal(named(image=[0.0, 0.0]), np.zeros(DIM, np.float32))
