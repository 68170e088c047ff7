"""Drawn lists are kept within a bound, and found by the impressions that show them."""

from __future__ import annotations

import numpy as np
import pytest

from models.exposure.plackett_luce import DrawnPool, odds_of_swap
from models.learning.impressions import Shown
from models.learning.shown.drawn_lists import Drawn, DrawnLists

DOMAIN = 7


def drawn(number: int, places: int = 4) -> Drawn:
    """Return a list of a number, whose second item is new."""
    weights = np.arange(places, 0, -1) / 10
    new = np.arange(places) == 1
    items = np.arange(places) + 1000 * number
    return Drawn(DOMAIN, number, items, DrawnPool(weights, new, 2.5, 0.5), 0.1)


def shown(number: int, items: list[int]) -> Shown:
    return Shown(DOMAIN, 0, 5, number, np.array(items, np.int64), np.zeros(1, np.int64))


def test_an_impression_finds_the_weights_of_its_items() -> None:
    """The first two of four were shown: the rest is what was not drawn and what was not shown."""
    lists = DrawnLists()
    lists.keep(3, drawn(1))
    lists.keep(3, drawn(2))
    found = lists.drawn(3, shown(1, [1000, 1001]))
    assert found is not None
    pool, share = found
    assert share == 0.1
    assert pool.weights.tolist() == [0.4, 0.3]
    assert pool.new.tolist() == [False, True]
    assert (pool.rest, pool.rest_new) == (pytest.approx(2.8), pytest.approx(0.5))
    whole = lists.drawn(3, shown(2, [2000, 2001, 2002, 2003]))
    assert whole is not None
    assert odds_of_swap(whole[0], 0, 1, 0.1) == pytest.approx(odds_of_swap(drawn(2).pool, 0, 1, 0.1))


@pytest.mark.parametrize(
    ("user", "one"),
    [
        (3, shown(9, [1000])),
        (3, shown(1, [1001, 1000])),
        (3, shown(0, [1000])),
        (4, shown(1, [1000])),
        (3, shown(1, [1000])._replace(domain=8)),
    ],
)
def test_other_impressions_find_nothing(user: int, one: Shown) -> None:
    """Of another list, order, user or domain, or without the time of its list."""
    lists = DrawnLists()
    lists.keep(3, drawn(1))
    assert lists.drawn(user, one) is None


def test_the_latest_are_kept() -> None:
    """Five lists of 20 places; deeper places count as not drawn; a state has them; a dropped user has none."""
    lists = DrawnLists()
    for number in range(1, 40):
        lists.keep(1, drawn(number, 50))
    again = DrawnLists()
    again.load(lists.live().full())
    assert [one.list_ts for one in again.of(1)] == [39, 38, 37, 36, 35]
    newest = next(again.of(1))
    assert len(newest.items) == 20
    assert newest.pool.rest == pytest.approx(2.5 + sum(range(1, 31)) / 10)
    again.drop_user(1)
    assert list(again.of(1)) == []
