"""Lists drawn place by place: the probabilities that they tell are those they are drawn with."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from models.exposure.plackett_luce import Pool, draw, odds_of_swap, place_probability, pool_of, shown_of

WEIGHTS, NEW, SHARE = np.array([4.0, 3.0, 2.0, 1.0]), np.array([False, True, False, True]), 0.3


def probability(order: tuple[int, ...]) -> float:
    """Return the probability of an order, from the definition."""
    left, p = list(range(len(WEIGHTS))), 1.0
    for item in order:
        new = sum(WEIGHTS[c] for c in left if NEW[c])
        share = SHARE if new else 0.0
        p *= (1 - share) * WEIGHTS[item] / sum(WEIGHTS[c] for c in left)
        if NEW[item] and new:
            p += (
                p
                / ((1 - share) * WEIGHTS[item] / sum(WEIGHTS[c] for c in left))
                * share
                * WEIGHTS[item]
                / new
            )
        left.remove(item)
    return p


def drawn(rng: np.random.Generator, places: int) -> tuple[tuple[int, ...], list[float]]:
    order, p = np.zeros(places, np.int64), np.zeros(places)
    length = draw(Pool(WEIGHTS, NEW), SHARE, rng.random((2, places)), order, p)
    return tuple(order[:length].tolist()), p[:length].tolist()


def test_probabilities_of_all_orders_add_up_to_one() -> None:
    """The definition of this test is itself a distribution."""
    assert sum(probability(order) for order in permutations(range(4), 2)) == pytest.approx(1)


def test_lists_come_as_often_as_they_say() -> None:
    """Of 20,000 lists of two places, each order comes within four standard deviations of its probability."""
    rng, counts = np.random.default_rng(0), Counter[tuple[int, ...]]()
    for _ in range(20_000):
        order, p = drawn(rng, 2)
        assert np.prod(p) == pytest.approx(probability(order))
        counts[order] += 1
    for order in permutations(range(4), 2):
        expected = 20_000 * probability(order)
        assert abs(counts[order] - expected) < 4 * np.sqrt(expected)


def test_a_place_by_hand() -> None:
    """0.7 · 3 / 10 + 0.3 · 3 / 4 for a new item; without a new one left the share counts as 0."""
    assert place_probability(3.0, True, 10.0, 4.0, 0.3) == pytest.approx(0.435)
    assert place_probability(4.0, False, 10.0, 4.0, 0.3) == pytest.approx(0.28)
    assert place_probability(4.0, False, 6.0, 0.0, 0.3) == pytest.approx(4 / 6)


def test_a_list_ends_with_its_candidates() -> None:
    """Every candidate once; the last is certain."""
    order, p = drawn(np.random.default_rng(1), 9)
    assert sorted(order) == [0, 1, 2, 3]
    assert p[-1] == pytest.approx(1)


@pytest.mark.parametrize("places", [2, 3, 4])
def test_odds_of_a_swap_are_those_of_the_two_orders(places: int) -> None:
    for order in permutations(range(4), places):
        shown = shown_of(Pool(WEIGHTS, NEW), np.array(order))
        for k in range(places):
            for later in range(k + 1, places):
                other = list(order)
                other[k], other[later] = other[later], other[k]
                expected = probability(tuple(other)) / probability(order)
                assert odds_of_swap(shown, k, later, SHARE) == pytest.approx(expected)


def test_weights_fall_by_e_for_each_temperature() -> None:
    pool = pool_of(np.array([0.1, 0.3, 0.2]), np.zeros(3, np.bool_), 0.1)
    assert pool.weights == pytest.approx(np.exp([-2.0, 0.0, -1.0]))
