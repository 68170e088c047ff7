"""The divergence of two domains follows from the moments of their item vectors."""

from __future__ import annotations

import numpy as np
import pytest

from models.transfer.divergence import divergence, relative_divergence


def cloud(n: int = 400, shift: float = 0.0, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((n, 4)) * scale + shift).astype(np.float32)


def test_against_numbers_worked_by_hand() -> None:
    """μ_s = (0, 0), μ_t = (2, 1); C_s = diag(2, 0), C_t = diag(0, 8): 5 + (2² + 8²) / (4 · 2²)."""
    source = np.array([[1, 0], [-1, 0]], np.float32)
    target = np.array([[2, 3], [2, -1]], np.float32)
    assert divergence(source, target) == pytest.approx(5 + (4 + 64) / 16)


def test_zero_for_equal_moments() -> None:
    """A domain does not differ from itself, in any order of vectors."""
    assert divergence(cloud(), cloud()) == 0
    assert divergence(cloud(), cloud()[::-1].copy()) == pytest.approx(0, abs=1e-10)


def test_symmetric_and_growing() -> None:
    """The divergence is symmetric, never negative, and grows with shift and spread."""
    values = [divergence(cloud(), cloud(shift=s)) for s in (0.1, 0.5, 2.0)]
    assert values == sorted(values)
    assert divergence(cloud(), cloud(scale=3.0)) > divergence(cloud(), cloud(scale=1.5)) > 0
    assert divergence(cloud(), cloud(seed=1)) == pytest.approx(divergence(cloud(seed=1), cloud()))


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_vectors(n: int) -> None:
    """Fewer than two vectors have no covariance: 0, not a warning."""
    assert divergence(cloud(n), cloud()) == divergence(cloud(), cloud(n)) == 0.0


def test_relative_divergence_by_hand() -> None:
    """Points (1, 0), (-1, 0) against (2, 3), (2, -1): mean squares 1 and (13 + 5) / 2 = 9, so the square length is 5.

    Means differ by (2, 1) / √5: 1. Covariances by diag(2, -8) / 5: (4 + 64) / 25 / 16.
    """
    source = np.array([[1, 0], [-1, 0]], np.float32)
    target = np.array([[2, 3], [2, -1]], np.float32)
    assert relative_divergence(source, target) == pytest.approx(1 + 68 / 25 / 16)


def test_relative_divergence_has_no_unit() -> None:
    """Vectors ten times as long are no further apart; nothing to compare, or only zeros, is 0."""
    near, far = cloud(), cloud(shift=1.0, seed=1)
    assert relative_divergence(10 * near, 10 * far) == pytest.approx(relative_divergence(near, far), rel=1e-4)
    assert relative_divergence(near[:1], far) == 0.0
    assert relative_divergence(np.zeros_like(near), np.zeros_like(far)) == 0.0
