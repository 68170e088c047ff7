"""Lists get less time while records wait, in the process or in the log."""

from __future__ import annotations

import pytest

from consumers.service.stages.list_budget import (
    BACKLOG_SECONDS,
    LATE_SECONDS,
    OVERDUE_SLICE_SECONDS,
    SHARE,
    SLICE_SECONDS,
    ListBudget,
)

BATCH, WITHIN = 256, 1.0


@pytest.mark.parametrize(
    ("learning", "age", "waiting", "budget"),
    [
        (0.4, 0.0, 0, SLICE_SECONDS),  # nothing waits
        (0.4, 0.0, BATCH, SHARE * 0.4),  # records wait in the process
        (0.4, 2 * LATE_SECONDS, 0, SHARE * 0.4),  # records wait in the log
        (0.0, 2 * LATE_SECONDS, 0, SLICE_SECONDS),  # nothing was learned: the stream is quiet
    ],
)
def test_the_budget(learning: float, age: float, waiting: int, budget: float) -> None:
    lists = ListBudget(BATCH, WITHIN)
    lists.learned(learning, age)
    assert lists.take(waiting, overdue=False) == pytest.approx(budget)


def test_an_overdue_list_gets_half_of_the_time() -> None:
    lists = ListBudget(BATCH, WITHIN)
    lists.learned(0.4, 2 * LATE_SECONDS)
    assert lists.take(BATCH, overdue=True) == pytest.approx(0.4)
    assert lists.take(0, overdue=True) == OVERDUE_SLICE_SECONDS  # nothing waits


def test_each_round_begins_anew() -> None:
    lists = ListBudget(BATCH, WITHIN)
    lists.learned(0.1, 0.0)
    lists.learned(0.2, 0.0)
    assert lists.take(BATCH, overdue=True) == pytest.approx(0.3)
    assert lists.take(BATCH, overdue=True) == 0.0


@pytest.mark.parametrize(
    ("age", "patience"), [(0.0, WITHIN), (0.5, WITHIN), (7.0, 7.0), (3600.0, BACKLOG_SECONDS)]
)
def test_lists_wait_as_long_as_records_did(age: float, patience: float) -> None:
    """Lists wait as long as records did, within bounds, so an old backlog does not delay them for days."""
    lists = ListBudget(BATCH, WITHIN)
    lists.learned(0.1, age)
    assert lists.patience == patience
