"""The wait of records follows from their own times, or from when they were first seen if a time is unusable."""

from __future__ import annotations

import pytest

from consumers.events.decode import Topics
from consumers.events.record import Record, TopicPartition
from consumers.service.lag import LagWatch
from tests.support.clock import Clock

TOPICS: Topics = {
    "i.movies": ("movies", "interactions"),
    "i.books": ("books", "interactions"),
    "t.books": ("books", "items"),
}
MOVIES, BOOKS, ITEMS = ("i.movies", 0), ("i.books", 0), ("t.books", 0)
NOW = 1_700_000_000.0


def record(place: TopicPartition, timestamp: int) -> Record:
    return Record(*place, 0, timestamp, None, b"")


def at(seconds: float) -> int:
    """Return a record time this many seconds before the first look, in ms."""
    return int(1000 * (NOW - seconds))


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def watch(clock: Clock) -> LagWatch:
    return LagWatch(TOPICS, clock)


def test_nothing_waits(watch: LagWatch) -> None:
    """Every domain has a figure from the first look on."""
    assert watch.look({MOVIES: 0, BOOKS: 0}, {}, []).seconds == {"movies": 0.0, "books": 0.0}


def test_a_backlog_shows_before_anything_is_learned(watch: LagWatch) -> None:
    """The oldest known waiting record of a domain's partitions says how long it waits."""
    other = ("i.movies", 1)
    waiting = [record(MOVIES, at(600)), record(MOVIES, at(9000)), record(other, at(700))]
    lag = watch.look({MOVIES: 5, other: 1, BOOKS: 0}, {}, waiting)
    assert lag.seconds == {"movies": 700.0, "books": 0.0}
    assert lag.records == {MOVIES: 5, other: 1, BOOKS: 0}


def test_a_record_after_a_long_silence_has_not_waited_long(watch: LagWatch) -> None:
    """A record's own time counts, not that of the record before it."""
    assert watch.look({MOVIES: 1}, {MOVIES: 7}, [record(MOVIES, at(0.5))]).seconds["movies"] == 0.5


@pytest.mark.parametrize("timestamp", [-1, 0, 1_700_000_000, at(-3600), 1000 * at(0)])
def test_a_time_that_cannot_be_one_counts_from_when_it_was_seen(
    watch: LagWatch, clock: Clock, timestamp: int
) -> None:
    """A missing or impossible time counts from when it was seen: not 56 years, and not 0 for ever."""
    waiting = [record(MOVIES, timestamp)]
    assert watch.look({MOVIES: 3}, {MOVIES: 7}, waiting).seconds["movies"] == 0.0
    clock.now += 40
    assert watch.look({MOVIES: 3}, {MOVIES: 7}, waiting).seconds["movies"] == 40.0


def test_records_that_nobody_has_seen_count_from_when_they_were_known_of(
    watch: LagWatch, clock: Clock
) -> None:
    """A record without a known time waits from when it was seen; a reader that keeps up starts again each time."""
    watch.look({MOVIES: 10}, {MOVIES: 0}, [])
    clock.now += 40
    assert watch.look({MOVIES: 30}, {MOVIES: 9}, []).seconds["movies"] == 40.0
    assert watch.look({MOVIES: 30}, {MOVIES: 10}, []).seconds["movies"] == 0.0
    clock.now += 5
    assert watch.look({MOVIES: 30}, {MOVIES: 39}, []).seconds["movies"] == 5.0
    watch.look({MOVIES: 0}, {MOVIES: 70}, [])
    clock.now += 5
    assert watch.look({MOVIES: 1}, {MOVIES: 70}, []).seconds["movies"] == 0.0


def test_only_interactions_lag(watch: LagWatch) -> None:
    """Waiting items are counted, but make no domain late."""
    lag = watch.look({ITEMS: 5}, {}, [record(ITEMS, at(600))])
    assert lag.seconds == {"movies": 0.0, "books": 0.0}
    assert lag.records[ITEMS] == 5
