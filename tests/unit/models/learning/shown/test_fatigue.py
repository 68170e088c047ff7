"""What a user was shown and passed over, by a compiled function and by a plain one."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from models.exposure.examination import RANKS
from models.learning.impressions import BITS, Shown, ShownLists
from models.learning.shown.fatigue import RECOVERY, passed_over

CURVE = 1.0 / np.arange(1, RANKS + 1)
DOMAIN, OTHER = 7, 8


def shown(items: list[int], time: int, domain: int = DOMAIN, clicked: tuple[int, ...] = ()) -> Shown:
    marks = np.zeros(-(-len(items) // BITS), np.int64)
    for place in clicked:
        marks[place // BITS] |= 1 << (place % BITS)
    return Shown(domain, 100 + time, time, 0, np.array(items, np.int64), marks)


def plain(lists: ShownLists, until: Shown | None, wanted: list[int]) -> list[float]:
    """Return what `passed_over` returns for the user 0, in Python."""
    found, weight, counts = dict.fromkeys(wanted, 0.0), 1.0, until is None
    for one in lists.of(0):
        if one.domain == DOMAIN and counts:
            for place, (item, clicked) in enumerate(zip(one.items.tolist(), one.clicked, strict=True)):
                if item in found and not clicked:
                    found[item] += weight * CURVE[min(place, RANKS - 1)]
            weight *= RECOVERY
        counts = counts or (until is not None and (one.time, one.id) == (until.time, until.id))
    return [found[item] for item in wanted]


def test_by_hand() -> None:
    """Later impressions of the domain make earlier ones count less. What was clicked was not passed over."""
    lists = ShownLists()
    for one in (
        shown([1, 2, 3], 1),
        shown([1, 2, 3], 2, OTHER),
        shown([3, 2], 3, clicked=(1,)),
    ):
        lists.add(0, one)
    found = passed_over(lists, 0, DOMAIN, CURVE, np.array([1, 2, 3, 4]))
    assert found == pytest.approx([0.8, 0.8 / 2, 0.8 / 3 + 1, 0.0])


def test_only_what_came_before_an_impression_counts() -> None:
    lists = ShownLists()
    some = [shown([1, 2], time) for time in (1, 2, 3)]
    for one in some:
        lists.add(0, one)
    assert passed_over(lists, 0, DOMAIN, CURVE, np.array([1]), some[2]) == pytest.approx([1 + 0.8])
    assert passed_over(lists, 0, DOMAIN, CURVE, np.array([1]), some[0]) == [0.0]


def test_nobody_and_nothing() -> None:
    lists, some = ShownLists(), np.array([1, 2])
    assert passed_over(lists, 0, DOMAIN, CURVE, some).tolist() == [0, 0]
    lists.add(0, shown([1], 1))
    assert passed_over(lists, None, DOMAIN, CURVE, some).tolist() == [0, 0]
    assert passed_over(lists, 5, DOMAIN, CURVE, some).tolist() == [0, 0]
    assert passed_over(lists, 0, DOMAIN, CURVE, some[:0]).tolist() == []


@pytest.mark.parametrize("seed", range(20))
def test_equals_the_plain_function(seed: int) -> None:
    """Also for long impressions, with several numbers of marks, and for those that have lost their beginning."""
    random, lists, some = Random(seed), ShownLists(), list[Shown]()
    for time in range(30):
        items = random.sample(range(300), random.choice((1, 10, 20, 150)))
        clicked = tuple(random.sample(range(len(items)), min(3, len(items))))
        some.append(shown(items, time, random.choice((DOMAIN, OTHER)), clicked))
        lists.add(0, some[-1])
        for until in (None, some[-1], random.choice(some)):
            found = passed_over(lists, 0, DOMAIN, CURVE, np.arange(300), until)
            assert found == pytest.approx(plain(lists, until, list(range(300))))
