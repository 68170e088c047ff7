"""Fetching ahead changes nothing but the time."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from models.prefetch import prefetch


@numba.njit
def fetch(array: NDArray[np.float32], row: int) -> None:
    prefetch(array, row)


@pytest.mark.parametrize("row", [0, 2, 1_000_000, -1])
def test_any_row_may_be_fetched(row: int) -> None:
    """One beyond the end is not read."""
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    fetch(array, row)
    assert array.ravel().tolist() == list(range(12))
