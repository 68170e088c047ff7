"""Measure how far apart two domains are, from the moments of their item vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def divergence(source: NDArray[np.float32], target: NDArray[np.float32]) -> float:
    """Return ‖μ_s − μ_t‖² + ‖C_s − C_t‖²_F / (4 D²), from first and second moments of (n, D) vectors.

    The second term is the CORAL loss of Sun and Saenko (2016). The divergence is 0 for equal moments, and for fewer
    than two vectors of either.

    The means are 0 and 3, the covariances are equal:

    >>> source = np.array([[1, 0], [-1, 0]], np.float32)
    >>> divergence(source, source + np.array([3, 0], np.float32))
    9.0
    """
    if min(len(source), len(target)) < 2:
        return 0.0
    dim = source.shape[1]
    mean_gap = source.mean(axis=0) - target.mean(axis=0)
    covariance_gap = np.cov(source, rowvar=False) - np.cov(target, rowvar=False)
    return float(mean_gap @ mean_gap + np.sum(covariance_gap**2) / (4 * dim**2))


def relative_divergence(source: NDArray[np.float32], target: NDArray[np.float32]) -> float:
    """Return `divergence` of vectors, (n, D), divided by their root mean square length: without unit, about 0 to 4."""
    if min(len(source), len(target)) < 2:
        return 0.0
    square = 0.5 * sum(float(np.square(v, dtype=np.float64).sum(axis=1).mean()) for v in (source, target))
    length = np.float32(square**0.5)
    return divergence(source / length, target / length) if length > 0 else 0.0
