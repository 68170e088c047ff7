"""Co-visit counts spread over a domain's items: which of the user's latest items count, and how much."""

from __future__ import annotations

import numpy as np
import pytest

from models.signals.covisit_scores import FADING, LATEST, OWN, SCALE, SIGNALS, SOURCES, spread
from models.signals.covisitation import CoVisitation
from models.signals.popularity import Popularity
from models.tables.user_history import Recent

ITEMS = 64
SEQUENCE = list(SIGNALS).index("sequence")


def recent(domains: list[int], rows: list[int]) -> Recent:
    return Recent(np.array(domains, np.int8), np.array(rows, np.int32), np.arange(len(rows), dtype=float))


def world(pairs: list[tuple[int, int, int]]) -> tuple[CoVisitation, list[Popularity]]:
    """Each (domain, row, then): someone had the item, and item `then` of domain 1 right after it."""
    visits, popularity = CoVisitation(2), [Popularity(), Popularity()]
    for domain, row, then in pairs:
        before = recent([domain], [row])
        visits.add(domain, row, before.domain[:0], before.row[:0], 0.0)
        visits.add(1, then, before.domain, before.row, 0.0)
        popularity[domain].add(row, 0.0)
        popularity[1].add(then, 0.0)
    return visits, popularity


def sums(visits: CoVisitation, popularity: list[Popularity], past: Recent, row: int) -> np.ndarray:
    rows, found = spread(visits, popularity, past, 1, np.ones(ITEMS, np.bool_), 0.0)
    return found[:, rows == row].ravel() if row in rows else np.zeros(len(SIGNALS))


def test_a_pair_by_hand() -> None:
    """One earlier event on the item, one pair: sequence 10 · 1; its own domain's cosine 2 · 10 · 1 / √1 / √1."""
    visits, popularity = world([(1, 3, 9)])
    found = sums(visits, popularity, recent([1], [3]), 9)
    assert found[SEQUENCE] == pytest.approx(SCALE)
    assert found[OWN] == pytest.approx(2 * SCALE)
    assert found[SOURCES] == 0.0


def test_a_source_speaks_through_its_own_signal_and_an_older_item_less() -> None:
    visits, popularity = world([(0, 3, 9)])
    found = sums(visits, popularity, recent([0, 0], [3, 4]), 9)
    assert found[SEQUENCE] == pytest.approx(SCALE * FADING[1])
    assert found[OWN] == 0.0
    assert found[SOURCES] == pytest.approx(2 * SCALE)


def test_other_domains_do_not_push_a_users_own_items_out() -> None:
    """An own item behind 25 of another domain counts for co-visitation; for a sequence it is too far back."""
    visits, popularity = world([(1, 3, 9), (0, 3, 8)])
    past = recent([1, 0] + [0] * 25, [3, 3, *list(range(20, 45))])
    found = sums(visits, popularity, past, 9)
    assert found[OWN] == pytest.approx(2 * SCALE)
    assert found[SEQUENCE] == 0.0
    assert not sums(visits, popularity, past, 8).any()  # another domain's, behind its latest 20


def test_only_the_latest_own_items_count() -> None:
    visits, popularity = world([(1, 3, 9)])
    past = recent([1] * (LATEST + 1), [3, *range(20, 20 + LATEST)])
    assert not sums(visits, popularity, past, 9).any()
