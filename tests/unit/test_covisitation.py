"""Co-visit counts by hand, and bounded lists of neighbours."""

from __future__ import annotations

import numpy as np

from models.covisitation import NEIGHBOURS, CoVisitation


def ones(n: int) -> np.ndarray:
    return np.ones(n, np.float32)


def test_counts_both_ways() -> None:
    visits = CoVisitation()
    visits.add_to(np.array([0, 2]), 5, ones(2))
    visits.add_to(np.array([2]), 5, ones(1))
    visits.add_from(5, np.array([0, 1]), ones(2))
    visits.add_from(5, np.array([1, 3]), ones(2))
    np.testing.assert_array_equal(visits.spread(np.array([2]), np.array([1.0]), 6), [0, 0, 0, 0, 0, 2])
    np.testing.assert_array_equal(
        visits.spread(np.array([5, 0]), np.array([1.0, 0.5]), 6), [1, 2, 0, 1, 0, 0.5]
    )


def test_a_full_list_gives_its_weakest_neighbour_away() -> None:
    visits = CoVisitation()
    others = np.arange(NEIGHBOURS)
    visits.add_from(0, others, ones(NEIGHBOURS) * 2)
    visits.add_from(0, others[1:], ones(NEIGHBOURS - 1))
    visits.add_to(np.array([0]), 999, ones(1))
    spread = visits.spread(np.array([0]), np.array([1.0]), 1000)
    assert spread[0] == 0
    assert spread[999] == 1
    assert visits.ids.shape[1] == NEIGHBOURS


def test_dropped_rows_are_forgotten() -> None:
    visits = CoVisitation()
    visits.add_from(0, np.array([1, 2]), ones(2))
    visits.add_from(3, np.array([1]), ones(1))
    visits.drop_to(1)
    np.testing.assert_array_equal(visits.spread(np.array([0, 3]), np.ones(2), 4), [0, 0, 1, 0])
    visits.drop_from(0)
    assert not visits.spread(np.array([0, 3]), np.ones(2), 4).any()


def test_unknown_rows_have_no_neighbours() -> None:
    assert not CoVisitation().spread(np.array([7]), np.ones(1), 3).any()
