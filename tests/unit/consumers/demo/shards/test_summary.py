"""The summary of the demo of several processes says what was lost, who waited, and which copy is wrong."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from consumers.demo.shards.balance import Balance, Outage, Waits
from consumers.demo.shards.summary import Told, figures, show

GOOD = Told(
    shards=2,
    seconds=61.4,
    balance=Balance(12_000, 12_000, 0, 0),
    malformed=24,
    repeats=60,
    letters=24,
    first=(7_150, 1_911.4),
    outage=Outage(1, 10_000, 11_000, 23_250),
    users=104,
    kept=(101, 101),
    waited=Waits(143, 61, 7.41, 14.13),
    others_waited=Waits(150, 66, 0.12, 0.91),
    copies={"shard 0": 12_000, "shard 1": 12_000, "network": 12_000},
)


def said(told: Told) -> str:
    out = io.StringIO()
    show(told, Console(file=out, width=140, markup=False, highlight=False))
    return out.getvalue()


def test_it_says_who_waited_and_that_nothing_is_lost() -> None:
    text = said(GOOD)
    for part in (
        "12,000 events sent in 61 s, 12,000 learned, 0 lost, 0 counted twice",
        "60 repeats count no second time",
        "24 of 24 malformed records are dead letters",
        "each of the 3 processes has learned of all 12,000, each once",
        "the first 7,150 were learned at 1,911 a second",
        "it was away for 13.2 s; its new process took 12.2 s of them to be ready",
        "its 104 users: 143 events of 61 of them were readable after 7.4 s (median), 14.1 s at most",
        "users of the other shards meanwhile: 150 events of 66 of them",
        "were readable after 0.1 s (median), 0.9 s at most",
        "101 before, 101 while it was away",
    ):
        assert part in text
    assert GOOD.right


def test_the_figures_are_those_of_the_run() -> None:
    told = figures(GOOD)
    assert (told["events_in"], told["learned"], told["lost"], told["counted_twice"]) == (12_084, 12_000, 0, 0)
    assert told["killed_shard_back_after_seconds"] == 13.25
    assert told["killed_shard_waited"] == {
        "events": 143,
        "users": 61,
        "median_seconds": 7.41,
        "longest_seconds": 14.13,
    }
    assert told["learned_by_copy"]["network"] == 12_000


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"balance": Balance(12_000, 11_999, 1, 0)}, "1 lost, 0 counted twice"),
        ({"balance": Balance(12_000, 12_000, 0, 2)}, "0 lost, 2 counted twice"),
        ({"letters": 23}, "23 of 24 malformed"),
        ({"copies": {"shard 0": 12_000, "shard 1": 11_998}}, "NOT all processes .* shard 1 11,998"),
    ],
)
def test_whatever_is_wrong_is_said_and_is_an_error(wrong: dict[str, object], told: str) -> None:
    """The exit code follows `right`."""
    changed = GOOD._replace(**wrong)  # type: ignore[arg-type]
    assert not changed.right
    assert re.search(told, said(changed))


def test_without_a_burst_and_without_events_meanwhile() -> None:
    """Nothing is said of what was not there."""
    text = said(GOOD._replace(first=None, waited=Waits()))
    assert "a second" not in text
    assert "its 104 users: no events" in text
    assert figures(GOOD._replace(first=None))["burst_events_per_second"] is None
