"""The Gini coefficient of shows: by hand, over time, and not from a few shows."""

from __future__ import annotations

import numpy as np
import pytest

from models.assessment.concentration import HALF_LIFE, LEAST_SHOWS, RecentShows, gini

T0 = 1_700_000_000.0


def test_by_hand() -> None:
    """Equal counts 0; one of n has all: 1 - 1/n; 1, 2, 3: Σ i x = 14, G = 28/18 - 4/3 = 2/9."""
    assert gini(np.full(7, 3.0), 7) == pytest.approx(0.0)
    assert gini(np.array([5.0]), 100) == pytest.approx(0.99)
    assert gini(np.array([3.0, 1.0, 2.0]), 3) == pytest.approx(2 / 9)
    assert gini(np.zeros(0), 5) == 0.0
    assert gini(np.zeros(4), 4) == 0
    assert gini(np.array([1, 3]), 2) == pytest.approx(0.25)


def test_few_shows_say_nothing() -> None:
    """From 10,000 on there is a coefficient, and none again once they are old."""
    shows, items = RecentShows(), np.arange(100, dtype=np.int64)
    for _ in range(LEAST_SHOWS // 100 - 1):
        shows.add(items, T0)
    assert shows.gini(100) is None
    shows.add(items, T0)
    assert shows.gini(100) == pytest.approx(0.0)
    assert shows.gini(200) == pytest.approx(0.5)
    shows.add(items[:1], T0 + HALF_LIFE)
    assert shows.gini(100) is None


def test_old_shows_fade() -> None:
    """Shows of two days ago count a quarter; over years nothing overflows."""
    shows, items = RecentShows(), np.arange(2, dtype=np.int64)
    for _ in range(40_000):
        shows.add(items[:1], T0)
    for _ in range(10_000):
        shows.add(items[1:], T0 + 2 * HALF_LIFE)
    assert shows.gini(2) == pytest.approx(0.0)
    for _ in range(10_000):
        shows.add(items[:1], T0 + 3000 * HALF_LIFE)
    assert shows.gini(2) == pytest.approx(0.5)
