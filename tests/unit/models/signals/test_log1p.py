"""The compiled logarithm agrees with numpy's."""

from __future__ import annotations

import numpy as np
import pytest

from models.signals.log1p import log1p


def of(values: list[float]) -> np.ndarray:
    array = np.array(values, np.float32)
    log1p(array)
    return array


def test_numbers_by_hand() -> None:
    """log 1 = 0 exactly; log 2, log e = 1 and log 4 = 2 log 2 hold."""
    np.testing.assert_allclose(of([0, 1, np.e - 1, 3]), [0, np.log(2), 1, 2 * np.log(2)], rtol=2e-6)
    assert of([0.0])[0] == 0.0


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e8])
def test_is_the_logarithm(scale: float) -> None:
    """The relative error is about 1e-6, or the rounding of 1 + y."""
    values = (np.random.default_rng(0).random(5000) * scale).astype(np.float32)
    wanted = np.log1p(values.astype(np.float64))
    np.testing.assert_allclose(of(values.tolist()), wanted, rtol=3e-6, atol=2e-7)


def test_never_falls() -> None:
    assert (np.diff(of(np.linspace(0, 50, 20_000).tolist())) >= -1e-6).all()
