"""A history's state round trips, states of earlier versions load, and increments hold what changed."""

from __future__ import annotations

import numpy as np
import pytest

from models.state.merging import merged
from models.state.snapshot import mark_clean
from models.tables.user_history import History
from tests.support.learners.history_states import early
from tests.support.learners.states import differences, read_back
from tests.unit.models.tables.test_user_history import done, history_of


@pytest.mark.parametrize("ahead", [0, 2**32])
def test_a_reborn_row_of_a_state_that_numbered_events(ahead: int) -> None:
    """An early state: event 2 means row 6, whose items changed after event 1; a row changed after the last event."""
    history, state = history_of(), history_of()
    for item, time in ((6, 1.0), (6, 2.0), (7, 3.0)):
        state.add(0, 0, item, time)
    early_state = state.state()
    early_state["sequence"] = early_state.pop("generation") + 3 + ahead
    early_state["recent"] |= {"seq": np.array([1, 2, 3]) + ahead}
    early_state["born"]["0"] = np.zeros(8, np.int64)
    early_state["born"]["0"][[6, 7]] = np.array([2, 4]) + ahead
    history.load(early_state)
    assert history.recent(0).time.tolist() == [2.0]
    history.add(0, 0, 7, 4.0)
    assert history.recent(0).time.tolist() == [2.0, 4.0]
    history.drop_item(0, 6)
    assert history.recent(0).time.tolist() == [4.0]


def test_state_round_trips() -> None:
    history, other = history_of(), history_of()
    for n in range(20):
        history.add(n % 3, n % 2, n, float(n))
    history.drop_item(0, 18)
    other.load(history.state())
    for user in range(3):
        for one, two in zip(history.recent(user), other.recent(user), strict=True):
            np.testing.assert_array_equal(one, two)
        assert other.has_seen(user, user % 2, f"i{user}") == history.has_seen(user, user % 2, f"i{user}")
    assert other.generation == history.generation


def busy(length: int = 7) -> History:
    """Users with 1, 2, 3 … 40 events, and one with none."""
    history, time = history_of(length), 0.0
    for user in (*range(12), 40):
        for _ in range(user):
            history.add(user, int(time) % 2, int(time) % 40, time)
            time += 1.0
    return history


def test_an_early_state_loads() -> None:
    """All users have the same latest events, and go on from there."""
    history, other = busy(), history_of(7)
    other.load(early(history))
    assert differences(other.state(), history.state()) == []
    for one in (history, other):
        one.extend(done([(3, 0, 1), (11, 1, 2), (40, 0, 3)], 1e3))
    assert differences(other.state(), history.state()) == []


@pytest.mark.parametrize("length", [4, 11])
def test_a_state_with_rings_of_another_length_loads(length: int) -> None:
    """The latest events that both hold stay, and new ones come after them."""
    history, other = busy(), history_of(length)
    other.load(early(history))
    for user in range(12):
        had, has = history.recent(user).time.tolist(), other.recent(user).time.tolist()
        assert has == had[-length:]
        other.add(user, 0, 1, 1e6)
        assert other.recent(user).time.tolist() == [*had, 1e6][-min(length, len(had) + 1) :]


def test_rings_of_an_early_state_are_written_anew() -> None:
    """Their times and numbers have other types, so no increment is put on top of them."""
    history, other = busy(), history_of(7)
    base = read_back(history.live())
    base["recent"] |= {"time": base["recent"]["time"].astype(float), "seq": base["recent"]["seq"].astype(int)}
    base["sequence"] = base.pop("generation")
    other.load(base)
    mark_clean(other.live(), base)
    change = read_back(other.live(), increment=True)
    assert differences(merged(base, [change])["recent"], other.state()["recent"]) == []
    again = history_of(7)
    again.load(merged(base, [change]))
    assert differences(again.state(), other.state()) == []


def test_increments_hold_the_rings_that_changed() -> None:
    history, other = busy(), history_of(7)
    base = read_back(history.live())
    other.load(base)
    mark_clean(other.live(), base)
    other.extend(done([(0, 0, 1), (3, 1, 2), (40, 0, 3)], 1e3))
    other.written.update([0, 3, 40])
    other.drop_user(5)
    other.written.drop(5)
    change = read_back(other.live(), increment=True)
    assert change["recent"].what["touched"].tolist() == [0, 3, 5, 40]
    assert differences(merged(base, [change]), other.state()) == []
