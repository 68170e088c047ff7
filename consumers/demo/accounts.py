"""Account for every event of the demo's own feed and of others: what became of it, and whether any was lost."""

from __future__ import annotations

from typing import NamedTuple

from consumers.config.schema import Settings
from consumers.demo.feed.producer import Placed
from consumers.service.pipeline import Pipeline


class Account(NamedTuple):
    """What became of the events so far. fed: events of the demo's feed. others: those that others have sent beside it.

    forgotten: events of users who had asked to be forgotten. impressions: what users were shown, repeats included; they
    are no events to learn. lost: events that were never learned, and events that the service passed although nothing
    became of them.
    """

    fed: int
    others: int
    learned: int
    duplicates: int
    dead_letters: int
    forgotten: int
    impressions: int
    lost: int


def unread(pipeline: Pipeline, placed: Placed) -> int:
    """Return how many of the feed's events the service has not passed yet."""
    offsets = dict(pipeline.offsets)
    return sum(min(part.events, max(0, part.end - offsets.get(place, 0))) for place, part in placed.items())


def account(settings: Settings, pipeline: Pipeline, placed: Placed) -> Account:
    """Count. The logs begin at offset 0, so an offset is the number of events before it."""
    topics = set(settings.topics_of("interactions"))
    waiting = unread(pipeline, placed)
    # Offsets first: the loop moves them after it has counted what is before them.
    passed = sum(n for (topic, _), n in dict(pipeline.offsets).items() if topic in topics)
    totals = pipeline.totals
    learned, duplicates = totals["learned"], totals["duplicates"]
    letters, forgotten, impressions = totals["dead_letters"], totals["forgotten"], totals["impressions"]
    fed = sum(part.events for part in placed.values())
    missing = max(0, passed - learned - duplicates - letters - forgotten - impressions)
    others = max(0, passed - (fed - waiting))
    return Account(fed, others, learned, duplicates, letters, forgotten, impressions, waiting + missing)
