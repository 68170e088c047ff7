"""Lists of neighbours that grow with what they hold: against a plain model, and how much memory they take."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.signals.neighbour_lists import SIZES, NeighbourLists
from models.state.merging import merged
from models.state.snapshot import joined, settle, snapshot
from models.state.tracked_tables import Live
from tests.support.states import differences

SLOTS, SMALL = 7, (1, 2, 4)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("one"), st.integers(0, SLOTS - 1), st.sets(st.integers(0, SLOTS - 1), min_size=1)),
        st.tuples(
            st.just("all"),
            st.integers(0, SLOTS - 1),
            st.sets(st.integers(0, SLOTS - 1), min_size=1, max_size=SMALL[-1]),
        ),
        st.tuples(st.just("drop"), st.integers(0, SLOTS - 1), st.none()),
        st.tuples(st.just("remove"), st.integers(0, SLOTS - 1), st.none()),
        st.tuples(st.just("save"), st.just(0), st.booleans()),
    ),
    max_size=50,
)


def held(lists: NeighbourLists, slot: int) -> dict[int, float]:
    _, flat = lists.places(np.array([-1, slot]))
    return {int(lists.ids[n]): float(lists.weights[n, -1]) for n in flat if lists.ids[n] >= 0}


def decoded(taken: Any) -> Any:
    return joined(msgspec.msgpack.decode(taken.body), taken.tensors)


class Whole(Live):
    """What a checkpoint takes."""

    def __init__(self, lists: NeighbourLists) -> None:
        self.lists = lists

    def live(self) -> dict[str, Any]:
        return {"places": self.lists.live()}


@settings(max_examples=150, deadline=None)
@given(ACTIONS)
def test_a_full_list_gives_its_weakest_away(actions: list[Any]) -> None:
    """A neighbour that is new takes a free place, else the weakest one's; states and increments are the lists."""
    lists, model = NeighbourLists(2, SMALL), [dict[int, float]() for _ in range(SLOTS)]
    lists.claim(SLOTS - 1)
    saved, weight = decoded(snapshot(Whole(lists).live())), 0.0

    def expect(slot: int, neighbour: int, kept: set[int]) -> None:
        if neighbour not in model[slot]:
            if len(model[slot]) == SMALL[-1]:
                del model[slot][min(model[slot].keys() - kept, key=lambda one: model[slot][one])]
            model[slot][neighbour] = 0.0

    for what, slot, some in actions:
        if what == "one":
            slots = np.array(sorted(some))
            at, known = lists.find(slots, slot)
            assert known.tolist() == [slot in model[n] for n in slots.tolist()]
            for n in slots.tolist():
                weight += 1.0
                expect(n, slot, set())
                model[n][slot] += weight
            lists.weights[at, 1] += np.arange(weight - len(slots) + 1, weight + 1)
        elif what == "all":
            neighbours = np.array(sorted(some))
            at = lists.find_all(slot, neighbours)
            for n in neighbours.tolist():
                weight += 1.0
                expect(slot, n, set(some))
            for n, more in zip(neighbours.tolist(), range(len(neighbours) - 1, -1, -1), strict=True):
                model[slot][n] += weight - more
            lists.weights[at, 1] += np.arange(weight - len(neighbours) + 1, weight + 1)
        elif what == "drop":
            lists.drop(slot)
            model[slot].clear()
        elif what == "remove":
            gone = np.arange(SLOTS) == slot
            lists.remove(gone)
            for one in model:
                one.pop(slot, None)
        else:
            saved = merged(saved, [decoded(snapshot(Whole(lists).live(), increment=True))])
            assert differences(saved, decoded(snapshot(Whole(lists).state()))) == []
            if some:
                lists.load(saved["places"], SLOTS)
                settle(Whole(lists).live(), saved)
        assert [held(lists, n) for n in range(SLOTS)] == model
    blocks = sum(len(left) * size for size, left in lists._left.items()) + int(lists._room.sum())
    assert blocks == lists._end


def test_memory_follows_what_lists_hold() -> None:
    """A thousand lists of ten neighbours and one of all: 24 bytes a place of their sizes, not of the largest."""
    lists = NeighbourLists(5)
    lists.claim(1000)
    for slot in range(1000):
        lists.find_all(slot, np.arange(10))
    few = lists._end * (lists.ids.itemsize + lists.weights.strides[0])
    assert few == 1000 * SIZES[0] * 24
    for n in range(0, 300, 20):
        lists.find_all(1000, np.arange(n, n + 20))
    assert len(held(lists, 1000)) == SIZES[-1]
    assert lists._end * 24 == few + sum(SIZES) * 24
