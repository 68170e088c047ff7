"""Chances of places: by hand where all orders can be listed, and exact at the first place."""

from __future__ import annotations

import numpy as np
import pytest

from models.exposure.place_chances import best_first, drawn_chances
from models.exposure.plackett_luce import Pool, place_probabilities, place_probability, shown_of

WEIGHTS, NEW, SHARE = np.array([4.0, 3.0, 2.0, 1.0]), np.array([False, True, False, True]), 0.3


def test_two_items_by_hand() -> None:
    """Weights 3 and 1: the first item is first with ¾ and second with ¼."""
    chances = drawn_chances(
        Pool(np.array([3.0, 1.0]), np.zeros(2, np.bool_)), 0.0, np.random.default_rng(0).random((4_000, 2, 2))
    )
    assert chances == pytest.approx(np.array([[0.75, 0.25], [0.25, 0.75]]), abs=0.02)


def test_the_first_place_is_exact_with_one_draw() -> None:
    """0.7 · w / 10, and 0.3 · w / 4 for a new item."""
    chances = drawn_chances(Pool(WEIGHTS, NEW), SHARE, np.full((1, 2, 1), 0.5))
    assert chances[:, 0] == pytest.approx([0.28, 0.435, 0.14, 0.145])


def test_the_second_place_is_the_mean_over_the_first() -> None:
    """By the definition: the sum over who is first, of its chance times that of each of the others then."""
    drawn = drawn_chances(Pool(WEIGHTS, NEW), SHARE, np.random.default_rng(0).random((20_000, 2, 2)))
    first = drawn[:, 0]
    expected = np.zeros(4)
    for gone in range(4):
        left = np.arange(4) != gone
        sums = float(WEIGHTS[left].sum()), float(WEIGHTS[left & NEW].sum())
        for c in np.flatnonzero(left):
            expected[c] += first[gone] * place_probability(WEIGHTS[c], NEW[c], *sums, SHARE)
    assert drawn[:, 1] == pytest.approx(expected, abs=0.01)
    assert drawn.sum(0) == pytest.approx([1.0, 1.0])


def test_a_list_that_is_longer_than_its_candidates_has_empty_places() -> None:
    drawn = drawn_chances(
        Pool(np.ones(2), np.zeros(2, np.bool_)), 0.0, np.random.default_rng(0).random((50, 2, 3))
    )
    assert drawn.sum(0) == pytest.approx([1.0, 1.0, 0.0])
    assert best_first(np.array([1.0, 2.0]), 3).sum(0).tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1), (2, 0, 3)])
def test_probabilities_of_a_list_are_those_of_its_places(order: tuple[int, ...]) -> None:
    found = place_probabilities(shown_of(Pool(WEIGHTS, NEW), np.array(order)), SHARE)
    left = np.ones(4, np.bool_)
    for p, c in zip(found, order, strict=True):
        sums = float(WEIGHTS[left].sum()), float(WEIGHTS[left & NEW].sum())
        assert p == pytest.approx(place_probability(WEIGHTS[c], NEW[c], *sums, SHARE))
        left[c] = False
