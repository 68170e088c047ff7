"""A user's recent ring and seen items, through wrap-around, rebirth of rows, and a round trip."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tables import user_history as module
from models.tables.catalogue import Catalogue
from models.tables.user_history import History, newest_first


def history_of(length: int = 4) -> History:
    return History([Catalogue(100, 2), Catalogue(100, 2)], length)


def test_recent_is_the_latest_in_order() -> None:
    """A ring of 4 after 6 events of two domains holds the last four, oldest first."""
    history = history_of()
    for n in range(6):
        history.add(1, n % 2, n, f"i{n}", float(n))
    recent = history.recent(1)
    assert recent.row.tolist() == [2, 3, 4, 5]
    assert recent.domain.tolist() == [0, 1, 0, 1]
    assert recent.time.tolist() == [2.0, 3.0, 4.0, 5.0]
    assert history.count(1, 0) == history.count(1, 1) == 3


STEP = st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 6), st.sampled_from([0, 0, 0, 1, 2]))
"""User, domain, item row, and what happens: an event, the row goes to another item, the user goes."""


@given(st.lists(STEP, max_size=60), st.integers(1, 4))
def test_newest_of_many_is_that_of_each(steps: list[tuple[int, int, int, int]], length: int) -> None:
    """Through wrap-around, reborn rows and dropped users, and for users that are not there."""
    history = history_of()
    for time, (user, domain, row, what) in enumerate(steps):
        if what == 0:
            history.add(user, domain, row, f"i{time}", float(time))
        elif what == 1:
            history.item_reborn(domain, row)
        else:
            history.drop_user(user)
    users = [None, *range(8)]
    each = [newest_first(history.recent(user), length) for user in users]
    np.testing.assert_array_equal(history.newest(users, length), np.stack(each))


@pytest.mark.parametrize("user", [None, 0, 500])
def test_an_unknown_user_has_nothing(user: int | None) -> None:
    history = history_of()
    history.add(7, 0, 1, "a", 1.0)
    assert len(history.recent(user).row) == 0
    assert len(history.seen_rows(user, 0)) == 0
    assert history.count(user, 0) == 0
    assert not history.has_seen(user, 0, "a")


def test_a_reborn_row_is_no_longer_recent() -> None:
    """Entries before the rebirth meant another item; those after it count. Other domains are not touched."""
    history = history_of()
    history.add(0, 0, 5, "old", 1.0)
    history.add(0, 1, 5, "other", 2.0)
    history.item_reborn(0, 5)
    assert history.recent(0).domain.tolist() == [1]
    history.add(0, 0, 5, "new", 3.0)
    assert history.recent(0).time.tolist() == [2.0, 3.0]


def test_seen_outlives_the_row() -> None:
    history = history_of()
    row, _ = history.catalogues[0].touch("a")
    assert history.add(0, 0, row, "a", 1.0)
    assert not history.add(0, 0, row, "a", 2.0)
    assert history.seen_rows(0, 0).tolist() == [row]
    assert history.has_seen(0, 0, "a")
    assert not history.has_seen(0, 1, "a")


def test_seen_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEEN_LIMIT", 3)
    history = history_of()
    for n in range(5):
        history.add(0, 0, n, f"i{n}", float(n))
    assert [history.has_seen(0, 0, f"i{n}") for n in range(5)] == [False, False, True, True, True]


def test_a_dropped_user_starts_anew() -> None:
    history = history_of()
    for n in range(6):
        history.add(0, 0, n, f"i{n}", float(n))
    history.drop_user(0)
    assert len(history.recent(0).row) == 0
    history.add(0, 0, 9, "i9", 9.0)
    assert history.recent(0).row.tolist() == [9]
    assert not history.has_seen(0, 0, "i1")


def test_state_round_trips() -> None:
    history, other = history_of(), history_of()
    for n in range(20):
        history.add(n % 3, n % 2, n, f"i{n}", float(n))
    history.item_reborn(0, 18)
    other.load(history.state())
    for user in range(3):
        for one, two in zip(history.recent(user), other.recent(user), strict=True):
            np.testing.assert_array_equal(one, two)
        assert other.has_seen(user, user % 2, f"i{user}") == history.has_seen(user, user % 2, f"i{user}")
    assert other.sequence == history.sequence
