"""The clock follows the events, and one wrong time cannot stop it for ever."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.learning.event_clock import AGREE, MANY, STEP, EventClock

DAY = 86400.0
T0 = 1_300_000_000.0
FAR = T0 + 15 * 365 * DAY
"""A time of today in an archive of years ago, which the wall clock cannot refuse."""


def after(*times: float, domain: int = 0, clock: EventClock | None = None) -> list[float]:
    """Return what the clock showed after each event."""
    clock = clock or EventClock(2)
    return [clock.move(domain, time) for time in times]


def settled(time: float = T0) -> EventClock:
    clock = EventClock(2)
    after(*[time] * AGREE, clock=clock)
    return clock


def test_it_shows_the_newest_time() -> None:
    """Late events do not move the clock; gaps up to a step are followed at once."""
    times = [T0, T0 + 5, T0 + 3, T0 + DAY, T0 + 1, T0 + DAY + STEP, T0 + DAY]
    assert after(*times) == [T0, T0 + 5, T0 + 5, T0 + DAY, T0 + DAY, T0 + DAY + STEP, T0 + DAY + STEP]


def test_one_far_time_moves_nothing() -> None:
    """A far time does not move the clock, however often it comes, if other events come between."""
    clock = settled()
    for n in range(1000):
        assert after(FAR, T0 + n, clock=clock) == [T0 + max(n - 1, 0), T0 + n]


def test_several_that_agree_move_it_on() -> None:
    """After a pause of the whole domain the first events count as before it; then the clock shows their time."""
    times = [FAR + n for n in range(AGREE + 2)]
    assert after(*times, clock=settled()) == [*[T0] * (AGREE - 1), FAR, FAR + AGREE, FAR + AGREE + 1]


def test_it_goes_no_further_than_all_of_them() -> None:
    """Several events ahead of the clock move it to the earliest of them."""
    assert after(FAR, FAR + 90 * DAY, T0 + 30 * DAY, FAR, FAR, clock=settled())[-1] == T0 + 30 * DAY


def test_a_first_event_may_be_the_wrong_one() -> None:
    """A wrong first event is believed until later events contradict it."""
    assert after(FAR, T0, T0 + 1, FAR, T0 + 2) == [FAR, T0, T0 + 1, T0 + 1, T0 + 2]


def test_a_late_domain_is_compared_with_the_others() -> None:
    """A new domain's first event does not move its clock beyond the others' clocks; five events do."""
    assert after(FAR, T0 + 1, domain=1, clock=settled()) == [T0, T0 + 1]
    assert after(*[FAR] * AGREE, domain=1, clock=settled())[-1] == FAR
    assert after(T0 - 900 * DAY, domain=1, clock=settled()) == [T0 - 900 * DAY]


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(1e8, 1e13)), max_size=40))
def test_what_is_asked_is_what_will_be(events: list[tuple[int, float]]) -> None:
    """`at` tells what `move` will show, a copy and a state loaded again go on alike, and no event moves a clock that
    five events have set more than a step, unless five agree."""
    clock, seen = EventClock(2), [list[float](), list[float]()]
    for domain, time in events:
        before, twin, loaded = clock.newest[domain], clock.copy(), EventClock(2)
        loaded.load(clock.state())
        asked = clock.at(domain, time)
        assert asked == clock.move(domain, time) == twin.move(domain, time) == loaded.move(domain, time)
        seen[domain].append(time)
        if len(seen[domain]) > AGREE:
            assert asked >= before
            assert asked <= before + STEP or min(seen[domain][-AGREE:]) > before


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 9)), min_size=MANY, max_size=MANY + 9),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_many_events_move_it_as_one_after_the_other(batches: list[list[tuple[int, int]]]) -> None:
    """Late events, those far ahead, and clocks that are new: the same times and the same state."""
    one, other, now, back = EventClock(2), EventClock(2), T0, list[int]()
    for batch in batches:
        domains = np.array([domain for domain, _ in batch])
        times = np.array([now + days * DAY for _, days in batch])
        shown = one.move_all(domains, times, lambda: back.append(1))
        single = [slice(n, n + 1) for n in range(len(batch))]
        each = [float(other.move_all(domains[n], times[n], lambda: back.append(2))[0]) for n in single]
        if not back:
            assert shown.tolist() == each
        assert one.state() == other.state()
        assert back.count(1) == back.count(2)
        now += 2 * DAY


def test_a_clock_that_stopped_in_a_year_to_come() -> None:
    """A clock that stopped in the future is set to the present and goes on."""
    clock = settled(1.7e12)
    assert clock.end_future(FAR)
    assert clock.newest == [FAR, 0.0]
    assert not clock.end_future(FAR)
    assert after(FAR - 10, FAR + 60, FAR + 90, clock=clock) == [FAR, FAR + 60, FAR + 90]


def test_a_state_without_the_latest_times() -> None:
    """A state without the latest times loads, and its clock counts as certain."""
    clock = EventClock(2)
    clock.load({"newest": [T0, 0.0]})
    assert after(FAR, T0 + 1, clock=clock) == [T0, T0 + 1]
    assert clock.state()["latest"][1] == []
