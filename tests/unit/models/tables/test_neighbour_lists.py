"""Lists of neighbours grow with their content, equal a plain model, and take bounded memory."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.state.merging import merged
from models.state.snapshot import joined, mark_clean, snapshot
from models.state.tracked_tables import Checkpointed
from models.tables.neighbour_lists import FREE, SIZES, NeighbourLists, find, seat
from tests.support.learners.states import differences

SLOTS, SMALL = 20, (8, 16)
SLOT = st.integers(0, SLOTS - 1)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("one"), SLOT, SLOT),
        st.tuples(st.just("many"), SLOT, st.sets(SLOT, min_size=12)),
        st.tuples(st.just("drop"), SLOT, st.none()),
        st.tuples(st.just("remove"), SLOT, st.none()),
        st.tuples(st.just("save"), st.just(0), st.booleans()),
    ),
    max_size=30,
)


def held(lists: NeighbourLists, slot: int) -> dict[int, float]:
    _, flat = lists.places(np.array([-1, slot]))
    return {int(lists.ids[n]): float(lists.weights[n, -1]) for n in flat if lists.ids[n] >= 0}


def decoded(taken: Any) -> Any:
    return joined(msgspec.msgpack.decode(taken.body), taken.tensors)


class Whole(Checkpointed):
    """An object whose state a checkpoint takes."""

    def __init__(self, lists: NeighbourLists) -> None:
        self.lists = lists

    def live(self) -> dict[str, Any]:
        return {"places": self.lists.live()}


def seated(lists: NeighbourLists, slot: int, neighbour: int) -> int:
    """Return the neighbour's place, and mark it."""
    lists.reserve(1)
    at = int(seat(lists.blocks(), slot, neighbour))
    lists.written.add(slot * lists.most + at - int(lists._begin[slot]))
    return at


@settings(max_examples=100, deadline=None)
@given(ACTIONS)
def test_a_full_list_gives_its_weakest_away(actions: list[Any]) -> None:
    """A new neighbour takes a free place or the weakest one's; states and increments equal the lists."""
    lists, model = NeighbourLists(2, SMALL), [dict[int, float]() for _ in range(SLOTS)]
    lists.claim(SLOTS - 1)
    saved, weight = decoded(snapshot(Whole(lists).live())), 0.0
    for what, slot, some in actions:
        if what in ("one", "many"):
            for neighbour in sorted({some} if what == "one" else some):
                weight += 1.0
                if neighbour not in model[slot] and len(model[slot]) == SMALL[-1]:
                    del model[slot][min(model[slot], key=lambda one: model[slot][one])]
                at = seated(lists, slot, neighbour)
                assert (lists.weights[at, 1] > 0) == (neighbour in model[slot])
                model[slot][neighbour] = lists.weights[at, 1] = weight
        elif what == "drop":
            lists.drop(slot)
            model[slot].clear()
        elif what == "remove":
            lists.remove(np.arange(SLOTS) == slot)
            for one in model:
                one.pop(slot, None)
        else:
            saved = merged(saved, [decoded(snapshot(Whole(lists).live(), increment=True))])
            assert differences(saved, decoded(snapshot(Whole(lists).state()))) == []
            if some:
                lists.load(saved["places"], SLOTS)
                mark_clean(Whole(lists).live(), saved)
        assert [held(lists, n) for n in range(SLOTS)] == model
    left = int((lists._left_n * np.array(SMALL)).sum())
    assert left + int(lists._room.sum()) == int(lists._end[0])


@pytest.mark.parametrize("room", [8, 16, 24])
def test_finding_is_a_search_from_the_first_place_on(room: int) -> None:
    """A search finds the first of equal entries, and nothing outside the block."""
    random = np.random.default_rng(room)
    ids = random.integers(-1, 12, 64).astype(np.int32)
    for begin in (0, 8, 40):
        block = ids[begin : begin + room].tolist()
        for wanted in range(FREE, 13):
            expected = begin + block.index(wanted) if wanted in block else -1
            assert find(ids, begin, room, wanted) == expected


def test_memory_follows_what_lists_hold() -> None:
    """A thousand short lists and a long one take 24 bytes for each place of their own sizes."""
    lists = NeighbourLists(5)
    lists.claim(1000)
    lists.reserve(1000)
    for slot in range(1000):
        for neighbour in range(10):
            seat(lists.blocks(), slot, neighbour)
    few = int(lists._end[0]) * (lists.ids.itemsize + lists.weights.strides[0])
    assert few == 1000 * SIZES[0] * 24
    for neighbour in range(300):
        seated(lists, 1000, neighbour)
    assert len(held(lists, 1000)) == SIZES[-1]
    assert int(lists._end[0]) * 24 == few + sum(SIZES) * 24
