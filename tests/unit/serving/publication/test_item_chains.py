"""Chains of lists that hold an item equal a plain model, over writes, returning items, and restarts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.publication.item_chains import ItemChains
from serving.publication.list_index import ListIndex

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


def walked(chains: ItemChains) -> dict[int, list[int]]:
    """Return the user rows of each chain, by its links in both directions."""
    found = {}
    for chain in np.flatnonzero(chains.length).tolist():
        rows, before, place = [], 0, int(chains.first[chain])
        while place:
            rows.append((place - 1) // TOP)
            assert chains.held.reshape(-1)[place - 1] == chain + 1
            assert chains.preceding.reshape(-1)[place - 1] == before
            before, place = place, int(chains.following.reshape(-1)[place - 1])
        assert len(rows) == len(set(rows)) == chains.length[chain]
        found[chain] = rows
    return found


@settings(max_examples=200, deadline=None)
@given(ACTIONS)
def test_the_links_are_the_lists(actions: list[Any]) -> None:
    """Each place is in one chain; users of a dropped item are due until their list is written."""
    chains, lists, stale = ItemChains(TOP, USERS), dict[int, list[int]](), dict[int, set[int]]()
    for what, one, two in actions:
        if what == "write":
            chains.write(one, two)
            lists[one], stale[one] = two, set()
        elif what == "gone":
            chains.drop_items(one)
            for user, items in lists.items():
                stale[user] |= set(one) & set(items)
        else:
            other = ItemChains(TOP, USERS)
            other.load(chains.held, chains.chain_of)
            # Free numbers above all that are in use are not kept: they come next in any case.
            assert sorted(other.free) == [free for free in sorted(chains.free) if free < other.chains]
            assert other.waiting == chains.waiting
            assert {k: set(v) for k, v in walked(other).items()} == {
                k: set(v) for k, v in walked(chains).items()
            }
            chains = other
        links = walked(chains)
        assert sum(map(len, links.values())) == sum(map(len, lists.values()))
        assert chains.waiting == sum(map(len, stale.values()))
        due = {user for user, items in stale.items() if items}
        assert set(chains.due(USERS)) == due
        assert len(chains.due(1)) == min(len(due), 1)
        for user, items in lists.items():
            places = chains.held[user]
            assert np.count_nonzero(places) == len(items)
            fresh = [item for item in items if item not in stale[user]]
            assert {int(chains.chain_of[item]) for item in fresh} <= set(places.tolist())
    assert chains.chains <= ITEMS + USERS * TOP
    assert len(set(chains.free)) == len(chains.free)


def test_chains_are_bounded() -> None:
    """There are no more chains than items and places, however often rows are reused."""
    chains, rng = ItemChains(TOP, USERS), np.random.default_rng(0)
    for _ in range(3000):
        chains.write(int(rng.integers(USERS)), rng.choice(ITEMS, TOP, replace=False).tolist())
        chains.drop_items([int(rng.integers(ITEMS))])
    assert chains.chains <= ITEMS + USERS * TOP
    assert chains.held.nbytes + chains.following.nbytes + chains.preceding.nbytes == 64 * TOP * 12


def test_a_state_of_item_rows_is_taken_up() -> None:
    """Early states hold the items' rows, which then are their chains."""
    index = ListIndex(["movies", "books"], TOP, USERS)
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
    """Each expiring list comes once; rows without a list never come."""
    index = ListIndex(["movies"], TOP, USERS)
    for row, time in ((4, 30.0), (1, 10.0), (6, 20.0), (2, 50.0)):
        index.write("movies", row, [1], time)
    assert index.expiring(40.0, limit) == [1, 6, 4][:limit]
    assert index.expiring(40.0, 10) == [1, 6, 4][limit:]
    assert index.expiring(60.0, 10) == [2]
