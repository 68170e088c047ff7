"""Follow the stream while the service runs: draw, and wait until everything of the feed is learned and published."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from consumers.demo.accounts import unread
from consumers.demo.feed.producer import Feed, Placed
from consumers.demo.live_view import View
from consumers.service.service import Service

SETTLE_SECONDS = 60.0
"""Seconds without any progress, after everything is sent, until events that are not learned count as lost."""
DRAW_SECONDS = 0.1


class Burst(NamedTuple):
    """What happened until the events that come first were learned. fresh: how many of them were published by then."""

    events: int = 0
    seconds: float = 0.0
    fresh: int = 0


class Followed(NamedTuple):
    """How the stream went. learned, fresh: events learned, and published, by its end. seconds: from first to last."""

    placed: Placed
    learned: int
    fresh: int
    seconds: float
    burst: Burst


def follow(service: Service, feed: Feed, view: View, burst: int, steady: Callable[[], None]) -> Followed:
    """Start the feed once the service is ready; return when all is done.

    burst: how many events come first, fast. steady: called once they are learned, if there are any.
    """
    while service.ready() is not None and not service.stopping:
        time.sleep(0.05)
    feed.go()
    begun, first = time.monotonic(), Burst()

    def look() -> None:
        nonlocal first
        learned = service.pipeline.totals["learned"]
        if not first.events and 0 < burst <= learned:  # on a slow machine only after the feed has sent all
            first = Burst(learned, time.monotonic() - begun, _published(service))
            steady()
        view.refresh()
        time.sleep(DRAW_SECONDS)

    with view:
        while not feed.finished() and not service.stopping:
            look()
        placed = feed.placed()
        _settle(service, placed, look)
        view.refresh()
    learned = service.pipeline.totals["learned"]
    return Followed(placed, learned, _published(service), time.monotonic() - begun, first)


def _settle(service: Service, placed: Placed, look: Callable[[], None]) -> None:
    """Wait until the feed's events are learned and the store has what they changed, with `look` again and again.

    A slow machine gets the time it needs: only a wait without progress ends.
    """
    left, deadline = -1, 0.0
    while not service.stopping:
        waiting = unread(service.pipeline, placed)
        if waiting != left:
            left, deadline = waiting, time.monotonic() + SETTLE_SECONDS
        publisher = service.publisher
        behind = (publisher is not None and publisher.backlog()) or service.pipeline.queue.backlog()
        if not (waiting or behind) or time.monotonic() > deadline:
            return
        look()


def _published(service: Service) -> int:
    return len(service.freshness_ms or ())
