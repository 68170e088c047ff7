"""Compare what the feed has sent with what the service has published: nothing may be lost, nothing counted twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from consumers.demo.feed.sent_events import SentEvent
from consumers.demo.shards.sightings import Sightings, UserIn


class Balance(NamedTuple):
    """Events by what became of them. once: those that were learned, each counted once. twice: counted too often."""

    sent: int
    once: int
    lost: int
    twice: int

    @property
    def exact(self) -> bool:
        """Whether every event was learned, and no other."""
        return self.sent == self.once and not (self.lost or self.twice)


def balance(sent: Mapping[UserIn, int], published: Mapping[UserIn, int]) -> Balance:
    """Compare for each user and domain, so that a loss of one user is not made up by another.

    >>> balance({("games", "ann"): 3, ("games", "bob"): 2}, {("games", "ann"): 2, ("games", "bob"): 3})
    Balance(sent=5, once=4, lost=1, twice=1)
    """
    once = sum(min(count, published.get(who, 0)) for who, count in sent.items())
    lost = sum(max(0, count - published.get(who, 0)) for who, count in sent.items())
    twice = sum(max(0, count - sent.get(who, 0)) for who, count in published.items())
    return Balance(sum(sent.values()), once, lost, twice)


def counts_of(events: Iterable[SentEvent]) -> Counter[UserIn]:
    """Return how many events were sent of each user in each domain."""
    return Counter((event.domain, event.user) for event in events)


class Outage(NamedTuple):
    """When a shard was killed, started again and ready again. Times: ms since the epoch."""

    shard: int
    killed_ms: int
    started_ms: int
    ready_ms: int

    @property
    def seconds(self) -> float:
        """From the kill until it was ready again."""
        return (self.ready_ms - self.killed_ms) / 1000


class Waits(NamedTuple):
    """How long events of the time of an outage waited until they were readable in the store, in seconds."""

    events: int = 0
    users: int = 0
    median: float = 0.0
    longest: float = 0.0


def waits(events: Iterable[SentEvent], seen: Sightings, outage: Outage) -> Waits:
    """Return the waits of events that were sent before the shard was back, and readable only after the kill.

    events: in the order of each partition.
    """
    number: Counter[UserIn] = Counter()
    found, users = list[float](), set[str]()
    for event in events:
        who = event.domain, event.user
        readable = seen.readable_ms(who, number[who])
        number[who] += 1
        if readable is not None and readable >= outage.killed_ms and event.sent_ms <= outage.ready_ms:
            found.append(max(0, readable - event.sent_ms) / 1000)
            users.add(event.user)
    if not found:
        return Waits()
    return Waits(len(found), len(users), float(np.median(found)), max(found))
