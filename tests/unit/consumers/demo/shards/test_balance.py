"""The account of the demo of several processes: a loss is seen, and who waited is counted by event."""

from __future__ import annotations

import pytest

from consumers.demo.feed.sent_events import SentEvent
from consumers.demo.shards.balance import Balance, Outage, Waits, balance, counts_of, waits
from consumers.demo.shards.sightings import Sightings

EVENTS = [
    SentEvent("games", "ann", 1_000),
    SentEvent("games", "bob", 1_500),
    SentEvent("games", "ann", 9_000),
    SentEvent("movies", "ann", 11_000),
    SentEvent("games", "ann", 12_000),
    SentEvent("games", "ann", 30_000),
]
SENT = counts_of(EVENTS)
OUTAGE = Outage(1, killed_ms=10_000, started_ms=11_000, ready_ms=20_000)


def test_what_was_sent_is_counted_by_user_and_domain() -> None:
    assert SENT == {("games", "ann"): 4, ("games", "bob"): 1, ("movies", "ann"): 1}
    assert balance(SENT, SENT) == Balance(6, 6, 0, 0)
    assert balance(SENT, SENT).exact


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, Balance(6, 0, 6, 0)),
        ({("games", "ann"): 3}, Balance(6, 5, 1, 0)),
        ({("games", "ann"): 5}, Balance(6, 6, 0, 1)),
        ({("games", "ann"): 3, ("games", "bob"): 2}, Balance(6, 5, 1, 1)),
        ({("games", "eve"): 2}, Balance(6, 6, 0, 2)),
    ],
)
def test_a_loss_and_a_double_count_are_seen(found: dict[tuple[str, str], int], expected: Balance) -> None:
    """Also if they cancel out in the sum, and for a user whom nobody has sent."""
    published = found if not found else {**SENT, **found}
    counted = balance(SENT, published)
    assert counted == expected
    assert not counted.exact


def test_events_of_the_outage_waited_and_no_others() -> None:
    """The third was sent before the kill and readable after it; the last was sent when the shard was back."""
    seen = Sightings()
    seen.note({("games", "ann"): 1, ("games", "bob"): 1}, {"ann": 1_200, "bob": 1_600})
    seen.note({("games", "ann"): 3, ("movies", "ann"): 1}, {"ann": 21_000})
    seen.note({("games", "ann"): 4}, {"ann": 30_100})
    assert waits(EVENTS, seen, OUTAGE) == Waits(events=3, users=1, median=10.0, longest=12.0)
    assert OUTAGE.seconds == 10.0


def test_without_events_nobody_waited() -> None:
    """Nor for an event that never became readable: that one is lost."""
    assert waits([], Sightings(), OUTAGE) == Waits()
    assert waits([SentEvent("games", "ann", 12_000)], Sightings(), OUTAGE) == Waits()
