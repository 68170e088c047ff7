"""The demo's account: others' events are no loss, and what nothing became of is one."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from consumers.config.loader import build
from consumers.demo.accounts import account, unread
from consumers.demo.feed.producer import Part, Placed

SETTINGS = build({"domains": {"games": {"role": "target"}, "movies": {}}})
FEED: Placed = {("interactions.games", 0): Part(60, 70), ("interactions.movies", 1): Part(40, 40)}


def pipeline(games: int, movies: int, **totals: int) -> Any:
    """As if the service had passed so many records of each topic; items do not count."""
    offsets = {("interactions.games", 0): games, ("interactions.movies", 1): movies, ("items.games", 0): 500}
    return SimpleNamespace(offsets=offsets, totals=Counter(totals))


def test_all_of_it_adds_up() -> None:
    """100 of the feed and 10 of others: each learned, repeated, rejected or of a user who was forgotten."""
    counted = account(
        SETTINGS, pipeline(70, 40, learned=100, duplicates=4, dead_letters=3, forgotten=3), FEED
    )
    assert counted == (100, 10, 100, 4, 3, 3, 0, 0)


def test_impressions_are_no_loss() -> None:
    """Ten of others, two of them repeats: the service passes them, and learns no event from them."""
    counted = account(SETTINGS, pipeline(70, 40, learned=100, impressions=10, repeated_impressions=2), FEED)
    assert (counted.others, counted.impressions, counted.lost) == (10, 10, 0)


def test_events_of_others_do_not_hide_a_loss() -> None:
    """The feed's last 15 in a partition are not read; 30 of others were learned in another one."""
    running = pipeline(55, 70, learned=125)
    assert unread(running, FEED) == 15
    counted = account(SETTINGS, running, FEED)
    assert (counted.lost, counted.others) == (15, 40)


def test_a_partition_that_nobody_read_is_lost() -> None:
    """No offset at all counts as the log's beginning."""
    running = pipeline(70, 40, learned=70)
    del running.offsets["interactions.movies", 1]
    assert account(SETTINGS, running, FEED).lost == 40


@pytest.mark.parametrize(("dead_letters", "lost"), [(9, 1), (10, 0), (12, 0)])
def test_a_record_that_is_passed_and_forgotten_is_lost(dead_letters: int, lost: int) -> None:
    """Of 110 passed, 100 are learned; a dead letter of a topic of items is no event, so there may be more of them."""
    counted = account(SETTINGS, pipeline(70, 40, learned=100, dead_letters=dead_letters), FEED)
    assert counted.lost == lost
