"""Who holds an item: against a plain model, over writes, items that go and come back, and restarts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.state.merging import merged
from models.state.snapshot import mark_clean
from serving.publication.item_tags import READ, ItemTags
from serving.publication.list_index import ListIndex
from tests.support.learners.states import differences, read_back

TOP, USERS, ITEMS = 4, 9, 7
LISTS = st.lists(st.integers(0, ITEMS - 1), max_size=TOP, unique=True)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, USERS - 1), LISTS),
        st.tuples(st.just("write"), st.integers(0, USERS - 1), LISTS),
        st.tuples(st.just("gone"), st.lists(st.integers(0, ITEMS), max_size=3), st.none()),
        st.tuples(st.just("restart"), st.none(), st.none()),
    ),
    max_size=60,
)


def who_holds(tags: ItemTags) -> dict[int, set[int]]:
    """The user rows whose lists hold each tag."""
    found: dict[int, set[int]] = {}
    for row, k in np.argwhere(tags.held).tolist():
        found.setdefault(int(tags.held[row, k]), set()).add(row)
    return found


@settings(max_examples=200, deadline=None)
@given(ACTIONS)
def test_the_tags_are_the_lists(actions: list[Any]) -> None:
    """Due is who holds an item as it was before it went, until their list is written."""
    tags, lists, stale = ItemTags(TOP), dict[int, list[int]](), dict[int, set[int]]()
    for what, one, two in actions:
        if what == "write":
            assert not tags.write(one, two)
            lists[one], stale[one] = two, set()
        elif what == "gone":
            tags.drop_items(one)
            for user, items in lists.items():
                stale[user] |= set(one) & set(items)
        else:
            other = ItemTags(TOP)
            other.load(tags.held, tags.tag_of)
            # Free numbers above all that are in use are not kept: they come next in any case.
            assert sorted(other.free) == [free for free in sorted(tags.free) if free <= other.tags]
            assert other.waiting == tags.waiting
            assert who_holds(other) == who_holds(tags)
            tags = other
        assert sum(map(len, who_holds(tags).values())) == sum(map(len, lists.values()))
        assert tags.waiting == sum(map(len, stale.values()))
        due = {user for user, items in stale.items() if items}
        assert set(tags.due(USERS)) == due
        assert len(tags.due(1)) == min(len(due), 1)
        for user, items in lists.items():
            places = tags.held[user]
            assert np.count_nonzero(places) == len(items)
            fresh = [item for item in items if item not in stale[user]]
            assert {int(tags.tag_of[item]) for item in fresh} <= set(places.tolist())
    assert tags.tags <= ITEMS + USERS * TOP
    assert len(set(tags.free)) == len(tags.free)


def test_tags_are_bounded() -> None:
    """However often items go and others take their rows, there are no more tags than items and places."""
    tags, rng = ItemTags(TOP), np.random.default_rng(0)
    for _ in range(3000):
        tags.write(int(rng.integers(USERS)), rng.choice(ITEMS, TOP, replace=False).tolist())
        tags.drop_items([int(rng.integers(ITEMS))])
    assert tags.tags <= ITEMS + USERS * TOP
    assert tags.held.nbytes == 64 * TOP * 2


def test_a_large_table_is_read_in_parts() -> None:
    """Each call goes on where the one before stopped, around the end, until all were found."""
    tags, holders = ItemTags(1), [READ // 2, READ + 7, 2 * READ - 1]
    tags.write(2 * READ - 1, [])
    for row in holders:
        tags.write(row, [3])
    tags.drop_items([3])
    assert tags.due(1) == holders[:1]
    found = [row for _ in range(4) for row in tags.due(9)]
    assert set(found) == set(holders)
    for row in holders:
        tags.write(row, [])
    assert tags.due(9) == []
    assert tags.waiting == 0


def test_more_than_two_bytes_of_tags() -> None:
    """All places widen at once, and that is said, because the whole table has to be saved."""
    tags, most = ItemTags(1000), 2**16 - 1
    widened = [tags.write(n, range(1000 * n, 1000 * (n + 1))) for n in range(66)]
    assert widened == [False] * 65 + [True]
    assert tags.held.max() == 66_000 > most
    assert tags.held[0, :3].tolist() == [1, 2, 3]
    other = ItemTags(1000)
    tags.write(65, [])
    other.load(tags.held, tags.tag_of)
    assert other.held.dtype == tags.held.dtype == np.uint32
    tags.drop_items([64_999])
    assert tags.due(9) == [64]


def test_widening_saves_the_whole_index() -> None:
    index, items = ListIndex(["movies"], 1000), 2**16
    for n in range(65):
        index.write("movies", n, range(1000 * n, 1000 * (n + 1)), 1.0)
    base = read_back(index.live())
    other = ListIndex(["movies"], 1000)
    other.load(base)
    mark_clean(other.live(), base)
    other.write("movies", 65, range(65_000, items), 2.0)
    change = read_back(other.live(), increment=True)
    assert differences(merged(base, [change]), read_back(other.live())) == []
    assert change["on_lists"]["movies"].dtype == np.uint32


def test_a_state_of_item_rows_is_taken_up() -> None:
    """States were once written with the items' rows on the lists: they are their own tags then."""
    index = ListIndex(["movies", "books"], TOP)
    held = np.array([[3, 1, 0, 0], [0, 0, 0, 0], [1, 2, 7, 0]], np.int32)
    index.load({"on_lists": {"movies": held, "other": held}, "written_at": np.array([5.0, 0.0, 6.0])})
    index.drop_items("movies", [0])
    assert index.due(9) == ("movies", [0, 2]) or index.due(9) == ("movies", [2, 0])
    index.write("movies", 0, [2, 4], 7.0)
    assert index.due(9) == ("movies", [2])
    index.drop_user(2)
    assert index.due(9) is None
    assert len(index) == 0


@pytest.mark.parametrize("limit", [2, 10])
def test_the_oldest_lists_expire_first(limit: int) -> None:
    """Each is given once; a row that was never written is none."""
    index = ListIndex(["movies"], TOP)
    for row, time in ((4, 30.0), (1, 10.0), (6, 20.0), (2, 50.0)):
        index.write("movies", row, [1], time)
    assert index.expiring(40.0, limit) == [1, 6, 4][:limit]
    assert index.expiring(40.0, 10) == [1, 6, 4][limit:]
    assert index.expiring(60.0, 10) == [2]
