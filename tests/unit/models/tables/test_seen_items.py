"""Lists of seen items equal a dict of lists, in memory, in a state and in merged changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.state.merging import MERGE
from models.tables.seen_items import LEAST, SeenItems

LIMIT = 21
"""The limit is no power of two, so the largest block is never full."""
USERS = 5
step = st.one_of(
    st.lists(st.tuples(st.integers(0, USERS - 1), st.integers(-99, 99)), min_size=1, max_size=40),
    st.integers(0, USERS - 1),
)
"""Items of users, or a dropped user."""


def apply(seen: SeenItems, plain: dict[int, list[int]], what: list[tuple[int, int]] | int) -> None:
    if isinstance(what, int):
        seen.drop(what)
        plain.pop(what, None)
        return
    users, items = np.array(what, np.int64).T
    seen.add(users, items)
    for user, item in what:
        plain[user] = [*plain.get(user, []), item][-LIMIT:]


def held(seen: SeenItems) -> dict[int, list[int]]:
    return {user: items for user in range(USERS) if (items := seen.of(user).tolist())}


@settings(max_examples=60, deadline=None)
@given(st.lists(step, max_size=12))
def test_lists_are_those_of_a_dict(steps: list[list[tuple[int, int]] | int]) -> None:
    """Lists equal those of a dict, also if users are dropped and come back, and in a loaded state."""
    seen, plain = SeenItems(LIMIT), dict[int, list[int]]()
    for what in steps:
        apply(seen, plain, what)
        assert held(seen) == plain
        assert seen.total == sum(map(len, plain.values()))
    other = SeenItems(LIMIT)
    other.load(seen.live().full())
    assert held(other) == plain
    assert other.total == seen.total
    apply(other, plain, [(user, 7) for user in range(USERS)])
    assert held(other) == plain


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(step, max_size=4), min_size=1, max_size=5))
def test_changes_merge_to_the_whole(saves: list[list[list[tuple[int, int]] | int]]) -> None:
    """A checkpoint with all changes merged is the newest whole state."""
    seen, plain = SeenItems(LIMIT), dict[int, list[int]]()
    base, changes = seen.live().full(), []
    seen.written.take()
    for steps in saves:
        for what in steps:
            apply(seen, plain, what)
        changes.append(seen.live().changes(seen.written.take()))
    merged, whole = MERGE["lists"](base, changes), seen.live().full()
    assert merged.keys() == whole.keys()
    for name, column in whole.items():
        np.testing.assert_array_equal(merged[name], column)


def test_blocks_of_dropped_users_are_used_again() -> None:
    """Blocks are reused, so users who come and go take no more room than those present together."""
    seen = SeenItems(LIMIT)
    for round_ in range(300):
        seen.add(np.full(LEAST + 1, round_ % 2), np.arange(LEAST + 1))
        seen.drop(round_ % 2)
    assert seen.arrays.end[0] <= 2 * (LEAST + 2 * LEAST)


@pytest.mark.parametrize("length", [1, LEAST, LEAST + 1, LIMIT])
def test_a_loaded_list_goes_on(length: int) -> None:
    """A loaded list goes on at every fill of a block."""
    seen = SeenItems(LIMIT)
    seen.add(np.zeros(length, np.int64), np.arange(length))
    other = SeenItems(LIMIT)
    other.load(seen.live().full())
    for one in (seen, other):
        one.add(np.zeros(3, np.int64), np.array([50, 51, 52]))
    assert other.of(0).tolist() == seen.of(0).tolist() == [*range(length), 50, 51, 52][-LIMIT:]
