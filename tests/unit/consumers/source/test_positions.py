"""Positions tell fetched and learned offsets, and offsets without a record."""

from __future__ import annotations

import pytest

from consumers.source.positions import Positions

PLACE = ("t", 0)


@pytest.fixture
def positions() -> Positions:
    """Return positions of one partition that is read from offset 10 on."""
    made = Positions()
    made.start(PLACE, 10, 10)
    return made


def test_a_partition_that_has_not_answered_may_have_more(positions: Positions) -> None:
    """A partition without an answer counts as behind, without a known lag; an empty one is known to be."""
    assert positions.behind() == {PLACE}
    assert positions.lag({}) == {PLACE: 0}
    assert not positions.reached_start_end({})
    positions.start(PLACE, 10, 10, empty=True)
    assert positions.behind() == set()
    assert positions.reached_start_end({})


def test_lag_is_known_before_it_answers() -> None:
    """The end that the log reported at the start counts until the first answer."""
    made = Positions()
    made.start(PLACE, 10, 25)
    assert made.lag({}) == {PLACE: 15}
    made.ends_at(PLACE, 30)
    made.took(PLACE, 20)
    assert made.lag({PLACE: 12}) == {PLACE: 18}


def test_what_is_no_record_is_passed_when_what_came_before_it_is_learned(positions: Positions) -> None:
    """Offsets without a record are passed only after all records before them are learned."""
    positions.ends_at(PLACE, 20)
    positions.took(PLACE, 15)
    positions.skipped(PLACE, 20)
    assert positions.behind() == set()
    assert positions.next({PLACE: 14}) == {PLACE: 14}
    assert not positions.reached_start_end({PLACE: 14})
    assert positions.next({PLACE: 15}) == {PLACE: 20}
    assert positions.lag({PLACE: 15}) == {PLACE: 0}
    assert positions.reached_start_end({PLACE: 15})


def test_the_start_is_over_at_the_end_of_then(positions: Positions) -> None:
    """The start is over at the end of then, also if the log goes on."""
    positions.ends_at(PLACE, 12)
    positions.took(PLACE, 12)
    positions.ends_at(PLACE, 1000)
    assert positions.reached_start_end({PLACE: 12})
    assert positions.fetched_to_start_end(lambda topic: topic == "t")
    assert positions.behind() == {PLACE}


def test_a_gap_is_passed_when_what_came_before_it_is_learned(positions: Positions) -> None:
    """A checkpoint before the gap is learned begins before it; a later one behind it."""
    positions.ends_at(PLACE, 50)
    positions.took(PLACE, 15)
    positions.jump(PLACE, 40)
    assert positions.next({PLACE: 14}) == {PLACE: 14}
    assert positions.next({PLACE: 15}) == {PLACE: 40}
    assert positions.lag({PLACE: 15}) == {PLACE: 10}


def test_a_log_that_begins_anew_is_read_from_there(positions: Positions) -> None:
    """Offsets of the old log do not count."""
    positions.ends_at(PLACE, 50)
    positions.took(PLACE, 50)
    positions.jump(PLACE, 0)
    assert positions.next({PLACE: 50}) == {PLACE: 0}
