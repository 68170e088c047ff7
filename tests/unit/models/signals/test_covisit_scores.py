"""Co-visit sums count the user's latest items with the right weights."""

from __future__ import annotations

import numpy as np
import pytest

from models.signals.covisit_scores import LATEST, OWN_SIGNALS, SIGNALS
from tests.support.learners.ranking_world import World

ITEMS, ASKER = 64, 29


def world(pairs: list[tuple[int, int, int]]) -> World:
    """Return counts of visits (domain, row, then): a user had the item, and item `then` of domain 1 after it."""
    made = World(text=False, items=ITEMS)
    for user, (domain, row, then) in enumerate(pairs):
        made.learn([(domain, user, row)], 0.0)
        made.learn([(1, user, then)], 0.0)
    return made


def sums(made: World, past: list[tuple[int, int]], row: int) -> dict[str, float]:
    """Return the sums of an item for a user with this past, (domain, row), oldest first, without counting it."""
    for n, (domain, item) in enumerate(past):
        made.history.add(ASKER, domain, item, made.time + n)
    return {name: float(np.expm1(made.column(name, ASKER)[row])) for name in (*SIGNALS, *OWN_SIGNALS)}


def test_a_pair_by_hand() -> None:
    """With one earlier event and one pair, sequence is 10 · 1; the own domain's cosine is 2 · 10 · 1 / √1 / √1."""
    found = sums(world([(1, 3, 9)]), [(1, 3)], 9)
    wanted = dict.fromkeys(found, 0.0) | {
        "sequence": 10, "sequence_60d": 10, "co_visitation": 20, "co_visitation_30d": 10,
        "own_sequence": 10, "own_sequence_60d": 10, "own_co_visitation_30d": 10,
    }  # fmt: skip
    assert found == pytest.approx(wanted, rel=1e-4)


def test_more_events_of_an_item_say_less_of_each() -> None:
    """Four events on item 3, one of them before 9: 10 / √4; and 9 was had twice: its cosine is 2 · 10 / √4 / √2."""
    found = sums(world([(1, 3, 9), (1, 3, 20), (1, 3, 21), (1, 3, 22), (1, 40, 9)]), [(1, 3)], 9)
    assert found["sequence"] == pytest.approx(5, rel=1e-4)
    assert found["co_visitation"] == pytest.approx(10 / np.sqrt(2), rel=1e-4)


def test_what_came_before_speaks_in_the_reversed_sequence() -> None:
    found = sums(world([(1, 9, 3)]), [(1, 3)], 9)
    assert found["sequence_reversed"] == found["own_sequence_reversed"] == pytest.approx(10, rel=1e-4)
    assert found["sequence"] == 0.0


def test_a_source_speaks_through_its_own_signal_and_an_older_item_less() -> None:
    found = sums(world([(0, 3, 9)]), [(0, 3), (0, 4)], 9)
    assert found["sequence"] == pytest.approx(8, rel=1e-4)
    assert found["co_visitation"] == 0.0
    assert found["co_visitation_sources"] == pytest.approx(20, rel=1e-4)
    assert not any(found[name] for name in OWN_SIGNALS)


def test_other_domains_do_not_push_a_users_own_items_out() -> None:
    """An own item behind 25 of another domain counts for co-visitation; for a sequence it is too far back, save for the
    domain's own."""
    past = [(1, 3), (0, 3), *((0, n) for n in range(20, 45))]
    found = sums(world([(1, 3, 9), (0, 3, 8)]), past, 9)
    assert found["co_visitation"] == pytest.approx(20, rel=1e-4)
    assert found["sequence"] == 0.0
    assert found["own_sequence"] == pytest.approx(10, rel=1e-4)
    assert not any(
        sums(world([(1, 3, 9), (0, 3, 8)]), past, 8).values()
    )  # another domain's, behind its latest 20


def test_only_the_latest_own_items_count() -> None:
    past = [(1, 3), *((1, n) for n in range(20, 20 + LATEST))]
    assert not any(sums(world([(1, 3, 9)]), past, 9).values())


def test_an_item_that_was_had_or_is_closed_is_not_met() -> None:
    """An item that was had or is closed takes no room among the sums."""
    made = world([(1, 3, 9), (1, 3, 10), (1, 3, 11)])
    made.catalogues[1].recommendable[10] = False
    for row in (3, 9):
        made.history.add(ASKER, 1, row, made.time)
    found = made.column("co_visitation", ASKER)
    assert {row for row, value in found.items() if value} == {11}
