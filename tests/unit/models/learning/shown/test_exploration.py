"""Draws are keyed, and their probabilities are those they are drawn with."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from models.learning.shown.exploration import Exploration, policy_name

VALUES, NEW = np.array([-2.0, -2.1, -2.15, -2.3]), np.array([False, True, False, True])


def test_the_setting() -> None:
    """At the recommended one: temperature .1, half an sd, 12 % of places; the name says the setting."""
    one, half, none = Exploration(1.0, 0), Exploration(0.5, 0), Exploration(0.0, 0)
    assert (policy_name(one.explore), policy_name(half.explore)) == ("pl-1", "pl-0.5")
    assert (one.share, half.share, none.share) == (0.12, 0.06, 0.0)
    assert (one.optimism, half.optimism) == (0.5, 0.25)


def test_probabilities_over_all_continuations_add_up() -> None:
    """At each place, the probabilities of what may come there sum to 1, and lists come as often as they say."""
    exploration, counts = Exploration(1.0, 3), Counter[tuple[int, ...]]()
    told = dict[tuple[int, ...], list[float]]()
    for number in range(20_000):
        found = exploration.draw(VALUES, NEW, exploration.uniform("ann", "books", number, 3))
        order = tuple(found.order.tolist())
        counts[order] += 1
        told[order] = found.p.tolist()
    assert set(told) == set(itertools.permutations(range(4), 3))
    for place in range(3):
        by_past = dict[tuple[int, ...], dict[int, float]]()
        for order, p in told.items():
            by_past.setdefault(order[:place], {})[order[place]] = p[place]
        for following in by_past.values():
            assert sum(following.values()) == pytest.approx(1.0)
    for order, p in told.items():
        expected = 20_000 * np.prod(p)
        assert abs(counts[order] - expected) < 4.5 * np.sqrt(expected) + 1


def test_a_draw_is_that_of_its_key() -> None:
    """Another user, domain, time or seed has other numbers, and a new user is not one called nothing."""
    keys = [("ann", "books", 7), ("bob", "books", 7), ("ann", "games", 7), ("ann", "books", 8), (None, "books", 7),
            ("", "books", 7)]  # fmt: skip
    drawn = [Exploration(1.0, seed).uniform(*key, 5) for key in keys for seed in (0, 1)]
    assert len({one.tobytes() for one in drawn}) == len(drawn)
    assert (Exploration(1.0, 0).uniform("ann", "books", 7, 5) == drawn[0]).all()
    assert all(((one >= 0) & (one < 1)).all() for one in drawn)
