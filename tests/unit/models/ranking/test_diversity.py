"""Maximal marginal relevance agrees with cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.ranking.diversity import diversified

VECTORS = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], np.float32)
SCORES = np.array([4.0, 3.0, 2.0, 0.0])


def test_no_diversity_is_the_order_of_the_scores() -> None:
    """With d = 0 the order of scores stays, for any vectors."""
    assert diversified(SCORES[::-1], VECTORS, 3, 0.0).tolist() == [3, 2, 1]


def test_a_twin_of_a_pick_gives_way() -> None:
    """By hand, d = 0.5: first 0 (0.5); then 1 has 0.375 − 0.5, 2 has 0.25 − 0, 3 has 0 − 0: so 2, then 3, then 1."""
    assert diversified(SCORES, VECTORS, 4, 0.5).tolist() == [0, 2, 3, 1]


@pytest.mark.parametrize("diversity", [0.0, 0.3, 1.0])
def test_every_pick_is_another_item(diversity: float) -> None:
    """There are k picks, none twice, or fewer if there are fewer items."""
    rng = np.random.default_rng(0)
    picks = diversified(rng.normal(size=30), rng.normal(size=(30, 8)).astype(np.float32), 50, diversity)
    assert sorted(picks.tolist()) == list(range(30))


def test_equal_scores_and_no_items() -> None:
    """Equal scores are equally relevant; an empty list stays empty."""
    assert diversified(np.ones(4), VECTORS, 2, 0.5).tolist() == [0, 2]
    assert diversified(np.zeros(0), VECTORS[:0], 5, 0.5).tolist() == []
