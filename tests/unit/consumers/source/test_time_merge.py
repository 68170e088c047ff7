"""Partitions are merged in time order, and one of them may delay the others only for a time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.events.record import Record, TopicPartition
from consumers.source.time_merge import RECORD_BYTES, Patience, TimeMerge
from tests.support.clock import Clock

LOGS = st.lists(st.lists(st.integers(0, 30), max_size=15), min_size=1, max_size=4)
"""The times of the records of each place."""


def log(partition: int, times: list[int]) -> list[Record]:
    return [Record("t", partition, offset, time, None, None) for offset, time in enumerate(times)]


def place(partition: int) -> TopicPartition:
    return ("t", partition)


def filled(*logs: list[int]) -> TimeMerge:
    merge = TimeMerge()
    for partition, times in enumerate(logs):
        merge.add(place(partition), log(partition, times))
    return merge


def times(records: list[Record]) -> list[int]:
    return [r.timestamp for r in records]


@settings(max_examples=60, deadline=None)
@given(LOGS, st.data())
def test_nothing_lost_or_doubled_and_places_keep_their_order(
    logs: list[list[int]], data: st.DataObject
) -> None:
    """Each record comes out once, in the order of its place, for any arrivals and takes."""
    merge = TimeMerge(buffer_bytes=5 * RECORD_BYTES)
    waiting = {place(p): log(p, ts) for p, ts in enumerate(logs)}
    out: list[Record] = []
    while any(waiting.values()):
        chosen = data.draw(st.sampled_from([p for p, records in waiting.items() if records]))
        n = data.draw(st.integers(1, 4))
        merge.add(chosen, waiting[chosen][:n])
        waiting[chosen] = waiting[chosen][n:]
        behind = {p for p, records in waiting.items() if records}
        limit = data.draw(st.integers(1, 6))
        taken = merge.take(behind if data.draw(st.booleans()) else set(), limit)
        assert len(taken) <= limit
        out += taken
    while taken := merge.take(set(), 3):
        out += taken
    assert len(merge) == 0
    for partition, ts in enumerate(logs):
        assert [r for r in out if r.partition == partition] == log(partition, ts)


@settings(max_examples=60, deadline=None)
@given(LOGS, st.data())
def test_time_order_across_places(logs: list[list[int]], data: st.DataObject) -> None:
    """Places in time order come out in time order together, if no wait is cut short."""
    logs = [sorted(ts) for ts in logs]
    merge = TimeMerge()
    waiting = {place(p): log(p, ts) for p, ts in enumerate(logs)}
    out: list[Record] = []
    while any(waiting.values()) or len(merge):
        open_ = [p for p, records in waiting.items() if records]
        if open_:
            chosen = data.draw(st.sampled_from(open_))
            n = data.draw(st.integers(1, 5))
            merge.add(chosen, waiting[chosen][:n])
            waiting[chosen] = waiting[chosen][n:]
        out += merge.take({p for p, records in waiting.items() if records}, data.draw(st.integers(1, 9)))
    assert times(out) == sorted(t for ts in logs for t in ts)


def test_waits_for_a_place_that_shows_nothing_yet() -> None:
    """A place with more to read may hold something older: the others wait for it."""
    merge = filled([5, 6], [])
    assert merge.take({place(1)}, 10) == []
    assert len(merge) == 2
    merge.add(place(1), log(1, [1, 7]))
    assert times(merge.take(set(), 10)) == [1, 5, 6, 7]


def test_stops_where_a_place_runs_dry() -> None:
    """When a place with more to read is used up, the others wait for its next records."""
    merge = filled([1, 3], [2, 9])
    assert times(merge.take({place(0)}, 10)) == [1, 2, 3]
    assert times(merge.take({place(0)}, 10)) == []
    assert times(merge.take(set(), 10)) == [9]


def test_a_silent_place_is_waited_for_once() -> None:
    """A place with more to read delivers nothing: the others wait for it 1 s, once."""
    clock = Clock()
    merge = TimeMerge(patience=Patience(1.0, clock))
    merge.add(place(0), log(0, [5]))
    assert merge.take({place(1)}, 10) == []
    clock.now = 0.9
    merge.add(place(0), log(0, [6]))  # that others go on says nothing about it
    assert merge.take({place(1)}, 10) == []
    clock.now = 1.1
    assert times(merge.take({place(1)}, 10)) == [5, 6]
    for now in (1.2, 1.3, 60.0):
        clock.now = now
        merge.add(place(0), log(0, [7]))
        assert times(merge.take({place(1)}, 10)) == [7]


def test_a_place_that_gives_again_is_waited_for_again() -> None:
    """A place that delivers again gets its turn, and then the others wait for it as for any other."""
    clock = Clock()
    merge = TimeMerge(patience=Patience(1.0, clock))
    merge.take({place(1)}, 10)
    clock.now = 2.0
    merge.add(place(1), log(1, [3]))
    merge.add(place(0), log(0, [5]))
    assert times(merge.take({place(1)}, 10)) == [3]
    assert merge.take({place(1)}, 10) == []
    clock.now = 3.1
    assert times(merge.take({place(1)}, 10)) == [5]


def test_each_silent_place_has_its_own_time() -> None:
    """A place that starves later is still waited for when the first is not."""
    clock = Clock()
    merge = TimeMerge(patience=Patience(1.0, clock))
    merge.add(place(0), log(0, [5]))
    assert merge.take({place(1)}, 10) == []
    clock.now = 0.8
    assert merge.take({place(1), place(2)}, 10) == []
    clock.now = 1.5
    assert merge.take({place(1), place(2)}, 10) == []
    assert merge.waited_for == {place(2)}
    clock.now = 1.9
    assert times(merge.take({place(1), place(2)}, 10)) == [5]


def test_a_busy_fetch_says_nothing_about_who_is_waited_for() -> None:
    """While much comes from others, the time starts again, but not for a place that was given up."""
    clock = Clock()
    merge = TimeMerge(patience=Patience(1.0, clock))
    merge.take({place(1)}, 10)
    clock.now = 2.0
    merge.take({place(1), place(2)}, 10)
    for now in (2.9, 3.8, 4.7):
        clock.now = now
        merge.take({place(1), place(2)}, 10, busy=True)
        assert merge.waited_for == {place(2)}
    clock.now = 5.8
    merge.take({place(1), place(2)}, 10)
    assert merge.waited_for == set()


def test_limit() -> None:
    """At most `limit` records; the rest comes next."""
    merge = filled([1, 2, 3, 4])
    assert times(merge.take(set(), 3)) == [1, 2, 3]
    assert times(merge.take(set(), 3)) == [4]


def test_a_late_record_does_not_overtake_its_place() -> None:
    """The order inside a partition is the log's, even if its times go back."""
    merge = filled([10, 1], [5])
    assert times(merge.take(set(), 10)) == [5, 10, 1]


def test_equal_times_are_taken_in_a_fixed_order() -> None:
    """A replay of the same log is the same stream: ties go by place."""
    one = filled([1, 1], [1, 1]).take(set(), 10)
    merge = TimeMerge()
    merge.add(place(1), log(1, [1, 1]))
    merge.add(place(0), log(0, [1, 1]))
    assert merge.take(set(), 10) == one


def test_places_share_the_memory() -> None:
    """A place is full at its share of the bytes, which falls with the number of places; an empty one never is."""
    merge = TimeMerge(buffer_bytes=6 * RECORD_BYTES)
    for partition in range(2):
        merge.add(place(partition), log(partition, [1, 2]))
    assert merge.full(places=2) == set()
    assert merge.full(places=3) == {place(0), place(1)}
    merge.take(set(), 2)
    assert merge.full(places=3) == set()
    merge.take(set(), 2)
    assert merge.full(places=1000) == set()


def test_long_records_count_for_more() -> None:
    """Memory is counted, not records."""
    merge = TimeMerge(buffer_bytes=10_000)
    merge.add(place(0), [Record("t", 0, 0, 1, b"k" * 4000, b"v" * 6000)])
    assert merge.full(places=1) == {place(0)}
