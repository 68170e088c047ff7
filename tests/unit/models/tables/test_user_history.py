"""A user's ring and seen items survive wrap-around, reuse of rows, and a round trip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tables.catalogue import Catalogue
from models.tables.event_rings import Done, Recalled, asking, contains
from models.tables.ring_tables import FIELDS
from models.tables.user_history import History
from tests.support.learners.states import differences
from tests.support.plain.user_history import Entry, PlainHistory


def history_of(length: int = 4, items: int = 40, seen_limit: int = 2_000) -> History:
    """Return the history of two domains with items i0, i1 … in their rows."""
    catalogues = [Catalogue(100, 2), Catalogue(100, 2)]
    for catalogue in catalogues:
        for n in range(items):
            catalogue.touch(f"i{n}")
    return History(catalogues, length, seen_limit=seen_limit)


def done(events: list[tuple[int, int, int]], time: float = 0.0) -> Done:
    """Record events, (user, domain, item row) each, one second apart."""
    user, domain, item = np.array(events, np.int64).reshape(-1, 3).T
    return Done(domain, user, item, time + np.arange(len(events), dtype=np.float64))


def test_recent_is_the_latest_in_order() -> None:
    """A ring of 4 after 6 events of two domains holds the last four, oldest first."""
    history = history_of()
    for n in range(6):
        history.add(1, n % 2, n, float(n))
    recent = history.recent(1)
    assert recent.row.tolist() == [2, 3, 4, 5]
    assert recent.domain.tolist() == [0, 1, 0, 1]
    assert recent.time.tolist() == [2.0, 3.0, 4.0, 5.0]
    assert history.count(1, 0) == history.count(1, 1) == 3


EVENT = st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 6))
"""User, domain, item row."""
STEP = st.one_of(
    st.tuples(st.just("events"), st.lists(EVENT, min_size=1, max_size=7)),
    st.tuples(st.just("reborn"), EVENT),
    st.tuples(st.just("dropped"), EVENT),
)


def told(found: Recalled, b: int) -> list[Entry]:
    n = int(found.n[b])
    return list(
        zip(*(values[b, :n].tolist() for values in (found.domain, found.row, found.time)), strict=True)
    )


@settings(deadline=None)
@given(st.lists(STEP, max_size=20), st.lists(EVENT, max_size=9))
def test_recalls_what_plain_lists_hold(
    steps: list[tuple[str, Any]], asked: list[tuple[int, int, int]]
) -> None:
    """Recalled items equal plain lists, through wrap-around, reused rows and dropped users."""
    history, plain, time = history_of(), PlainHistory(4), 0.0
    for what, of in steps:
        if what == "events":
            history.extend(done(of, time))
            for n, (user, domain, item) in enumerate(of):
                plain.add(user, domain, item, time + n)
            time += len(of)
        elif what == "reborn":
            history.drop_item(of[1], of[2])
            plain.reborn(of[1], of[2])
        else:
            history.drop_user(of[0])
            plain.drop(of[0])
    batch = done(asked, time)
    together, apart = history.recall(batch), history.recall(batch, together=False)
    for b, (user, domain, _) in enumerate(asked):
        before = [(d, i, time + n) for n, (u, d, i) in enumerate(asked[:b]) if u == user][::-1]
        assert told(together, b) == (before + plain.recent(user))[:4]
        assert together.events[b] == plain.count(user, domain) + sum(d == domain for d, _, _ in before)
        assert told(apart, b) == plain.recent(user)
        assert apart.events[b] == plain.count(user, domain)
    for user in range(6):
        recent = history.recent(user)
        assert list(zip(*map(np.ndarray.tolist, recent), strict=True)) == plain.recent(user)[::-1]


@settings(deadline=None)
@given(st.lists(st.lists(EVENT, min_size=1, max_size=6), max_size=8))
def test_batches_leave_what_single_events_leave(batches: list[list[tuple[int, int, int]]]) -> None:
    history, one_by_one, time = history_of(), history_of(), 0.0
    for batch in batches:
        history.extend(done(batch, time))
        for n, event in enumerate(batch):
            one_by_one.extend(done([event], time + n))
        time += len(batch)
    assert differences(history.state(), one_by_one.state()) == []


def test_seen_items_of_a_batch() -> None:
    """A user's second event of a batch sees the first one's item, and a new item is not seen before."""
    history = history_of()
    history.add(1, 0, 7, 0.0)
    batch = done([(1, 0, 3), (2, 0, 3), (1, 0, 3), (1, 1, 3), (1, 0, 7)])
    seen = history.seen_before(batch)
    assert contains(*seen, history.hashes(batch)).tolist() == [False, False, True, False, True]
    assert np.diff(seen.at).tolist() == [1, 0, 2, 0, 3]
    apart = history.seen_before(batch, together=False)
    assert contains(*apart, history.hashes(batch)).tolist() == [False, False, False, False, True]
    history.extend(batch)
    assert history.seen_items == 4


def test_recalling_changes_nothing_and_knows_nobody_without_a_row() -> None:
    history = history_of()
    history.add(1, 0, 7, 0.0)
    before = history.state()
    found = history.recall(asking([None, 1, 99], 0))
    assert found.n.tolist() == [0, 1, 0]
    assert found.events.tolist() == [0, 1, 0]
    assert found.context(3)[0].tolist() == [[-1.0] * 3] * 3
    assert found.context(2)[1].tolist() == [[0, 7, 0], [-1, -1, -1]]
    assert differences(before, history.state()) == []


def test_newest_of_many_is_newest_first() -> None:
    history = history_of()
    for n in range(6):
        history.add(1, n % 2, n, float(n))
    found = history.newest([1, None], 3)
    assert found[0].tolist() == [[1, 5, 5], [0, 4, 4], [1, 3, 3]]
    assert (found[1] == -1).all()


@pytest.mark.parametrize("user", [None, 0, 500])
def test_an_unknown_user_has_nothing(user: int | None) -> None:
    history = history_of()
    history.add(7, 0, 1, 1.0)
    assert len(history.recent(user).row) == 0
    assert len(history.seen_rows(user, 0)) == 0
    assert history.count(user, 0) == 0
    assert not history.has_seen(user, 0, "a")


def test_a_reborn_row_is_no_longer_recent() -> None:
    """Entries from before a row's reuse are left out; later ones, and those of other domains, count."""
    history = history_of()
    history.add(0, 0, 5, 1.0)
    history.add(0, 1, 5, 2.0)
    history.drop_item(0, 5)
    assert history.recent(0).domain.tolist() == [1]
    history.add(0, 0, 5, 3.0)
    assert history.recent(0).time.tolist() == [2.0, 3.0]


def test_generations_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the numbers are used up, each row means the same item as before."""
    monkeypatch.setattr("models.tables.user_history.LAST_GENERATION", 3)
    history, plain = history_of(length=20), PlainHistory(20)
    for n in range(20):
        for one in (history, plain):
            one.add(0, 0, n % 5, float(n))
        if n % 2:
            history.drop_item(0, n % 3)
            plain.reborn(0, n % 3)
        recent = history.recent(0)
        entries = zip(recent.domain.tolist(), recent.row.tolist(), recent.time.tolist(), strict=True)
        assert list(entries)[::-1] == plain.recent(0)
    assert history.generation <= 3


def test_times_are_whole_seconds_from_1970_to_2106() -> None:
    history = history_of()
    times = [-5.0, 1.75, 1e18]
    for n, time in enumerate(times):
        history.add(0, 0, n, time)
    assert history.recent(0).time.tolist() == [0.0, 1.0, 2**32 - 1]
    together = Done(np.zeros(4, int), np.zeros(4, int), np.arange(4), np.array([*times, 0.0]))
    assert history_of().recall(together).time[3, :3].tolist() == [2**32 - 1, 1.0, 0.0]


def test_seen_outlives_the_row() -> None:
    history = history_of(items=0)
    row, _ = history.catalogues[0].touch("a")
    history.add(0, 0, row, 1.0)
    history.add(0, 0, row, 2.0)
    assert history.seen_items == 1
    assert history.seen_rows(0, 0).tolist() == [row]
    assert history.has_seen(0, 0, "a")
    assert not history.has_seen(0, 1, "a")
    history.catalogues[0].ids.discard("a")
    history.catalogues[0].row_by_hash.remove(int(history.catalogues[0].hash_of[row]))
    assert history.seen_rows(0, 0).tolist() == []
    assert history.has_seen(0, 0, "a")


def test_who_is_eligible() -> None:
    """Eligible items are those that may be recommended and that the user has not had."""
    history = history_of(items=4)
    history.catalogues[0].recommendable[2] = False
    history.add(0, 0, 1, 1.0)
    assert np.flatnonzero(history.eligible(0, 0)).tolist() == [0, 3]
    assert np.flatnonzero(history.eligible(None, 0)).tolist() == [0, 1, 3]


def test_seen_is_bounded() -> None:
    history = history_of(seen_limit=3)
    for n in range(5):
        history.add(0, 0, n, float(n))
    assert [history.has_seen(0, 0, f"i{n}") for n in range(5)] == [False, False, True, True, True]


def test_a_dropped_user_starts_anew() -> None:
    history = history_of()
    for n in range(6):
        history.add(0, 0, n, float(n))
    history.drop_user(0)
    assert len(history.recent(0).row) == 0
    history.add(0, 0, 9, 9.0)
    assert history.recent(0).row.tolist() == [9]
    assert not history.has_seen(0, 0, "i1")


@pytest.mark.parametrize("events", [1, 3, 20, 60])
def test_a_ring_takes_what_its_events_take(events: int) -> None:
    """A thousand users who do things in turn: at most twice 14 bytes an event of the last fifty, and 12 a user."""
    history = history_of(50)
    for n in range(events):
        history.extend(done([(user, n % 2, n % 40) for user in range(1000)], float(n)))
    held = history.rings()
    tables = [held.events, held.begin, *(getattr(held, name) for name in FIELDS)]
    assert sum(table.nbytes for table in tables) <= 2 * 1000 * (min(events, 50) * 14 + 12)
    for user in (0, 500, 999):
        assert history.recent(user).row.tolist() == [n % 40 for n in range(events)][-50:]


def test_blocks_are_used_again_and_are_empty() -> None:
    """Many users come and go in four rows: the tables stay as large as four users need, and keep nothing of them."""
    history, random = history_of(50), np.random.default_rng(0)
    for n in range(300):
        count = int(random.integers(1, 70))
        history.extend(done([(n % 4, 0, 1)] * count, 1.0))
        history.drop_user((n + 1) % 4)
    for user in range(4):
        history.drop_user(user)
    held = history.rings()
    assert held.end[0] <= 4 * held.sizes.sum()
    assert not any(getattr(held, name).any() for name in FIELDS)


def test_only_users_with_a_time_to_come_are_marked() -> None:
    history = history_of()
    for user, time in ((1, 5.0), (2, 50.0), (3, 6.0), (2, 60.0)):
        history.add(user, 0, 1, time)
    history.written.take()
    history.end_future(20.0)
    assert list(history.written.take().keys) == [2]
    assert history.recent(2).time.tolist() == [20.0, 20.0]
    assert history.recent(3).time.tolist() == [6.0]
