"""Lists get less time while records wait, in the process or in the log."""

from __future__ import annotations

import pytest

from consumers.service.stages.list_budget import (
    BACKLOG_SECONDS,
    BACKLOG_SHARE,
    LATE_ROUND_SECONDS,
    LATE_SECONDS,
    LATE_SHARE,
    MANY_RECORDS,
    OVERDUE_SHARE,
    OVERDUE_SLICE_SECONDS,
    QUIET_SECONDS,
    SHARE,
    SLICE_SECONDS,
    ListBudget,
)
from tests.support.clock import Clock

BATCH, FEW, WITHIN = 256, 16, 1.0


@pytest.mark.parametrize(
    ("records", "learning", "age", "waiting", "budget"),
    [
        (FEW, 0.4, 0.0, 0, SLICE_SECONDS),  # nothing waits
        (FEW, 0.4, 0.0, BATCH, SHARE * 0.4),  # records wait in the process
        (FEW, 0.4, 2 * LATE_SECONDS, 0, SHARE * 0.4),  # records wait in the log
        (FEW, 0.4, 2 * WITHIN, 0, BACKLOG_SHARE * 0.4),  # a backlog
        (MANY_RECORDS, 0.4, 0.0, 0, SHARE * 0.4),  # a busy stream
        (FEW, 0.0, 2 * LATE_SECONDS, 0, SLICE_SECONDS),  # nothing was learned: the stream is quiet
    ],
)
def test_the_budget(records: int, learning: float, age: float, waiting: int, budget: float) -> None:
    lists = ListBudget(BATCH, WITHIN, Clock())
    lists.learned(records, learning, age)
    assert lists.take(waiting, overdue=False) == pytest.approx(budget)


def test_a_stream_stays_busy_for_a_moment() -> None:
    """Lists do not fill each gap between two batches, because the next records would wait for them."""
    clock = Clock()
    lists = ListBudget(BATCH, WITHIN, clock)
    lists.learned(MANY_RECORDS, 0.4, 0.0)
    lists.take(0, overdue=False)
    clock.now += 0.9 * QUIET_SECONDS
    assert lists.take(0, overdue=False) == 0.0
    clock.now += 0.2 * QUIET_SECONDS
    assert lists.take(0, overdue=False) == SLICE_SECONDS


def test_overdue_lists_get_more_time() -> None:
    lists = ListBudget(BATCH, WITHIN, Clock())
    lists.learned(FEW, 0.4, 2 * LATE_SECONDS)
    assert lists.take(BATCH, overdue=True) == pytest.approx(OVERDUE_SHARE * 0.4)
    assert lists.take(0, overdue=True) == OVERDUE_SLICE_SECONDS  # nothing waits


def test_each_round_begins_anew() -> None:
    lists = ListBudget(BATCH, WITHIN, Clock())
    lists.learned(FEW, 0.1, 0.0)
    lists.learned(FEW, 0.2, 0.0)
    assert lists.take(BATCH, overdue=False) == pytest.approx(SHARE * 0.3)
    lists.took(0.01)
    assert lists.take(BATCH, overdue=False) == 0.0  # what is left of a budget is not kept


def test_what_a_round_takes_too_much_is_taken_from_the_next_while_records_wait() -> None:
    lists, share = ListBudget(BATCH, WITHIN, Clock()), SHARE * 0.4

    def take(waiting: int) -> float:
        lists.learned(FEW, 0.4, 0.0)
        return lists.take(waiting, overdue=False)

    assert take(BATCH) == pytest.approx(share)
    lists.took(2.5 * share)
    assert take(BATCH) == pytest.approx(-0.5 * share)
    assert take(0) == SLICE_SECONDS  # nothing waits
    lists.took(1.5 * share)
    assert take(BATCH) == pytest.approx(-0.5 * share)
    assert take(BATCH) == pytest.approx(0.5 * share)


@pytest.mark.parametrize(
    ("age", "patience"), [(0.0, WITHIN), (0.5, WITHIN), (7.0, 7.0), (3600.0, BACKLOG_SECONDS)]
)
def test_lists_wait_as_long_as_records_did(age: float, patience: float) -> None:
    """Lists wait as long as records did, within bounds, so an old backlog does not delay them for days."""
    lists = ListBudget(BATCH, WITHIN, Clock())
    lists.learned(FEW, 0.1, age)
    assert lists.patience == patience


def test_a_backlog_that_shrinks_still_comes_before_its_lists() -> None:
    lists = ListBudget(BATCH, WITHIN, Clock())
    lists.learned(BATCH, 0.1, 7.0)
    lists.learned(BATCH, 0.1, 2.0)
    assert lists.patience == 7.0
    lists.learned(FEW, 0.1, 2 * LATE_SECONDS)  # it is drained, although a busy stream may stay a little late
    assert lists.patience == WITHIN


@pytest.mark.parametrize(
    ("age", "interval"),
    [
        (0.0, 0.05),
        (0.1, 0.05),  # a moment late: nobody should wait longer for that
        (2.0, 2.0 * LATE_SHARE),
        (3600.0, LATE_ROUND_SECONDS),
    ],
)
def test_rounds_of_a_backlog_come_less_often(age: float, interval: float) -> None:
    lists = ListBudget(BATCH, WITHIN, Clock())
    lists.learned(BATCH, 0.04, age)
    assert lists.interval(0.05) == pytest.approx(interval)
    lists.learned(FEW, 0.04, 0.0)  # no other record waits any more
    assert lists.interval(0.05) == 0.05
