"""In the dedup window a repeated event_id counts once, and memory is bounded."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.events.deduplication import DedupWindow
from models.state.merging import merged
from models.state.snapshot import mark_clean, snapshot
from tests.support.learners.states import decoded, differences


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 12)), max_size=80), st.integers(1, 8))
def test_is_a_window_over_the_latest_distinct_ids(events: list[tuple[str, int]], capacity: int) -> None:
    """An id repeats exactly while it is among the latest `capacity` distinct ones."""
    window, model = DedupWindow(capacity), deque[tuple[str, int]](maxlen=capacity)
    for domain, n in events:
        assert window.repeated(domain, str(n)) == ((domain, n) in model)
        if (domain, n) not in model:
            model.append((domain, n))
        assert len(window) == len(model) <= capacity


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=60), st.integers(0, 60), st.integers(1, 8))
def test_state_round_trips(ids: list[int], cut: int, capacity: int) -> None:
    """A window loaded from a state answers like the one that was never saved."""
    plain, first = DedupWindow(capacity), DedupWindow(capacity)
    expected = [plain.repeated("d", str(n)) for n in ids]
    answers = [first.repeated("d", str(n)) for n in ids[:cut]]
    second = DedupWindow(capacity)
    second.load(first.state())
    answers += [second.repeated("d", str(n)) for n in ids[cut:]]
    assert answers == expected
    assert differences(second.state(), plain.state()) == []


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), max_size=60),
    st.integers(0, 60),
    st.integers(1, 8),
)
def test_forgotten_users_make_room(events: list[tuple[int, int]], cut: int, capacity: int) -> None:
    """Forgotten users' ids are removed anywhere in the ring; the others stay in order, also after a restart."""
    window, model = DedupWindow(capacity), list[tuple[int, int]]()
    for n, (key, user) in enumerate(events):
        if n == cut:
            window.forget_users({"0", "1"})
            model = [held for held in model if held[1] > 1]
            restored = DedupWindow(capacity)
            restored.load(window.state())
            assert differences(restored.state(), window.state()) == []
            window = restored
        known = key in [held[0] for held in model]
        assert window.repeated("d", str(key), str(user)) == known
        model = model if known else [*model, (key, user)][-capacity:]
        assert len(window) == len(model)


def test_only_new_places_are_saved() -> None:
    """Merged increments are the window, also past the ring's end."""
    window = DedupWindow(20)
    for n in range(15):
        window.repeated("d", str(n))
    state = decoded(snapshot(window.live()))
    mark_clean(window.live(), state)
    for n in range(15, 60):
        window.repeated("d", str(n), "u")
        if n % 9 == 0:
            taken = snapshot(window.live(), increment=True)
            assert n == 18 or max(map(len, taken.tensors.values())) <= 9
            state = merged(state, [decoded(taken)])
            assert differences(state, window.state()) == []


def test_a_repeat_does_not_renew_its_place() -> None:
    """The id that was first seen longest ago goes first, also if it was repeated."""
    window = DedupWindow(2)
    assert [window.repeated("d", x) for x in "abab"] == [False, False, True, True]
    window.repeated("d", "c")
    assert not window.repeated("d", "a")


def test_without_id_every_event_is_new() -> None:
    """An event without an event_id is never a repeat, and is not remembered."""
    window = DedupWindow(10)
    assert not window.repeated("d", None)
    assert not window.repeated("d", None)
    assert len(window) == 0


def test_ids_count_per_domain() -> None:
    """The same id in another domain is another event."""
    window = DedupWindow(10)
    assert not window.repeated("movies", "1")
    assert not window.repeated("books", "1")
    assert window.repeated("movies", "1")


def test_no_window() -> None:
    """A capacity of 0 switches it off."""
    window = DedupWindow(0)
    assert not window.repeated("d", "1")
    assert not window.repeated("d", "1")
    full = DedupWindow(1)
    full.repeated("d", "1")
    window.load(full.state())
    assert not window.repeated("d", "1")


@pytest.mark.parametrize(("kept", "gone"), [(3, "1"), (1, "3")])
def test_a_smaller_window_keeps_the_latest(kept: int, gone: str) -> None:
    """After the config shrank it, the newest ids of the state stay."""
    large = DedupWindow(10)
    for x in "1234":
        large.repeated("d", x)
    small = DedupWindow(kept)
    small.load(large.state())
    assert len(small) == kept
    assert small.repeated("d", "4")
    assert not small.repeated("d", gone)
