"""An id table is bounded, evicts the least recently seen id, reuses rows, and is not changed by reading."""

from __future__ import annotations

from collections import OrderedDict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tables.id_table import IdTable

ACTIONS = st.lists(
    st.tuples(st.sampled_from(["touch", "touch", "touch", "get", "discard"]), st.integers(0, 12)),
    max_size=120,
)


@settings(max_examples=80, deadline=None)
@given(ACTIONS, st.integers(1, 8))
def test_behaves_like_a_least_recently_seen_cache(actions: list[tuple[str, int]], capacity: int) -> None:
    """The table has the members, order and evictions of a plain model, and no row twice or out of range."""
    table, model = IdTable(capacity), OrderedDict[str, int]()
    evictions = 0
    for what, n in actions:
        key = str(n)
        if what == "touch":
            row, evicted = table.touch(key)
            expected = None
            if key not in model and len(model) == capacity:
                expected, freed = model.popitem(last=False)
                assert row == freed
                evictions += 1
            assert evicted == expected
            if key in model:
                assert row == model.pop(key)
            model[key] = row
        elif what == "get":
            assert table.get(key) == model.get(key)
            assert (key in table) == (key in model)
        else:
            assert table.discard(key) == model.pop(key, None)
        assert list(table) == list(model)
        assert dict(table.items()) == model
        assert len(set(model.values())) == len(model) == len(table) <= capacity
        assert all(0 <= row < table.high_water <= capacity for row in model.values())
        assert table.evictions == evictions


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(st.integers(0, 6), max_size=9), max_size=20))
def test_many_are_seen_as_one_after_the_other(batches: list[list[int]]) -> None:
    """Order, members and what an increment holds are the same; with an unknown id nothing changes."""
    one, other = IdTable(7), IdTable(7)
    for table in (one, other):
        for n in range(5):
            table.touch(str(n))
        table._seen.take(), table.written.take()
    for batch in batches:
        keys = list(map(str, batch))
        known = all(key in one for key in keys)
        assert one.see_all(keys) == known
        if known:
            assert [other.seen(key) for key in keys] == [one.get(key) for key in keys]
        elif keys:
            other.touch(keys[0]), one.touch(keys[0])
        assert list(one) == list(other)
        assert one._seen.take().keys == other._seen.take().keys
        assert list(one.written.take().keys) == list(other.written.take().keys)


@settings(max_examples=80, deadline=None)
@given(ACTIONS, st.integers(0, 120), st.integers(1, 8))
def test_state_round_trips(actions: list[tuple[str, int]], cut: int, capacity: int) -> None:
    """A table loaded from a state goes on exactly like the one that was never saved."""

    def run(table: IdTable, part: list[tuple[str, int]]) -> list[object]:
        do = {"touch": table.touch, "get": table.get, "discard": table.discard}
        return [do[what](str(n)) for what, n in part]

    plain, first, second = IdTable(capacity), IdTable(capacity), IdTable(capacity)
    expected = run(plain, actions)
    answers = run(first, actions[:cut])
    second.load(first.state())
    assert answers + run(second, actions[cut:]) == expected
    assert second.state() == plain.state()
    assert second.high_water == plain.high_water


def test_memory_is_bounded() -> None:
    """A hundred times more ids than capacity: rows stay within it."""
    table = IdTable(10)
    rows = {table.touch(str(n))[0] for n in range(1000)}
    assert rows == set(range(10))
    assert (len(table), table.high_water, table.evictions) == (10, 10, 990)
    assert list(table) == [str(n) for n in range(990, 1000)]


def test_touch_renews() -> None:
    """An id that is seen again is evicted later."""
    table = IdTable(2)
    for key in "aba":
        table.touch(key)
    assert table.touch("c") == (1, "b")


def test_get_does_not_renew() -> None:
    """Scoring reads a table and must not change who goes next."""
    table = IdTable(2)
    table.touch("a")
    table.touch("b")
    assert table.get("a") == 0
    assert "a" in table
    assert table.touch("c") == (0, "a")


def test_the_state_is_a_copy() -> None:
    """Later touches do not change a state that was taken."""
    table = IdTable(3)
    table.touch("a")
    state = table.state()
    table.touch("b")
    assert state["ids"] == ["a"]


@pytest.mark.parametrize("capacity", [0, -1])
def test_capacity_is_positive(capacity: int) -> None:
    """A table without room is a mistake."""
    with pytest.raises(ValueError, match="at least 1"):
        IdTable(capacity)


def test_ids_in_the_order_of_last_sight() -> None:
    """`ids` has the order of last sight, also after evictions, deletions and returns."""
    table = IdTable(3)
    for name in "abcadbeac":
        table.touch(name)
        if name == "b":
            table.discard("a")
        assert table.ids() == list(table)
    assert table.ids() == ["e", "a", "c"]


def test_a_large_table_evicts_in_order() -> None:
    """Many more ids than are looked for at once, of which some are seen again, some go, and some come back."""
    random, table, model = Random(0), IdTable(600), OrderedDict[str, None]()
    for n in range(20_000):
        key = str(random.randrange(1500))
        if n % 17 == 0:
            assert (table.discard(key) is None) == (model.pop(key, 0) == 0)
            continue
        expected = model.popitem(last=False)[0] if key not in model and len(model) == 600 else None
        assert table.touch(key)[1] == expected
        model[key] = None
        model.move_to_end(key)
        if n % 500 == 0:
            assert table.evict()[0] == model.popitem(last=False)[0]
            table.load(table.state())
    assert table.ids() == list(model)
    assert table.evictions > 1000
