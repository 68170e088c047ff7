"""Lists give way to records that wait, wherever they wait."""

from __future__ import annotations

import pytest

from consumers.service.list_budget import BACKLOG_SECONDS, LATE_SECONDS, SHARE, ListBudget

INTERVAL, BATCH, WITHIN = 0.05, 256, 1.0


@pytest.mark.parametrize(
    ("learning", "age", "waiting", "budget"),
    [
        (0.4, 0.0, 0, 0.4),  # nothing waits: as long as learning took
        (0.001, 0.0, 0, INTERVAL),
        (0.4, 0.0, BATCH, SHARE * 0.4),  # records wait in the process
        (0.4, 2 * LATE_SECONDS, 0, SHARE * 0.4),  # records wait in the log
        (0.0, 2 * LATE_SECONDS, 0, INTERVAL),  # nothing was learned: the stream is quiet
    ],
)
def test_the_budget(learning: float, age: float, waiting: int, budget: float) -> None:
    lists = ListBudget(INTERVAL, BATCH, WITHIN)
    lists.learned(learning, age)
    assert lists.take(waiting, overdue=False) == pytest.approx(budget)


def test_an_overdue_list_gets_half_of_the_time() -> None:
    lists = ListBudget(INTERVAL, BATCH, WITHIN)
    lists.learned(0.4, 2 * LATE_SECONDS)
    assert lists.take(BATCH, overdue=True) == pytest.approx(0.4)


def test_each_round_begins_anew() -> None:
    lists = ListBudget(INTERVAL, BATCH, WITHIN)
    lists.learned(0.2, 0.0)
    lists.learned(0.3, 0.0)
    assert lists.take(0, overdue=False) == pytest.approx(0.5)
    assert lists.take(0, overdue=False) == INTERVAL


@pytest.mark.parametrize(
    ("age", "patience"), [(0.0, WITHIN), (0.5, WITHIN), (7.0, 7.0), (3600.0, BACKLOG_SECONDS)]
)
def test_lists_wait_as_long_as_records_did(age: float, patience: float) -> None:
    """Within bounds: a list of the day before yesterday is made soon, too."""
    lists = ListBudget(INTERVAL, BATCH, WITHIN)
    lists.learned(0.1, age)
    assert lists.patience == patience
