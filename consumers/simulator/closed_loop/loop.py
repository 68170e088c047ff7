"""Run the closed loop: users look at the lists of a service, and it learns what they were shown and clicked on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from consumers.datasets.record import Sent
from consumers.errors import Stop
from consumers.simulator.closed_loop.records import Look, item_record, look_records
from consumers.simulator.closed_loop.settings import LIST
from consumers.simulator.closed_loop.world import Ints, World
from consumers.simulator.event_stream import item_id, user_id

TOGETHER = 16
"""Impressions whose lists are read at once, just before their users look."""


class ListShown(NamedTuple):
    """What a service has for a user: ids of items, best first, and when the list was published, Unix time in ms."""

    items: list[str]
    published_ts: int


class Service(Protocol):
    """A service as its users and producers see it."""

    def now_ms(self, time: int) -> int:
        """Return the time at which the impression number `time` happens, Unix time in ms."""

    def put(self, items: Sequence[Sent]) -> None:
        """Take new items in."""

    def lists(self, domain: str, users: Sequence[str], time: int) -> list[ListShown]:
        """Return the list that each user is shown about this time."""

    def take(self, records: Sequence[Sent]) -> None:
        """Take impressions and clicks in."""


class Watcher(Protocol):
    """Watches a run."""

    def before(self, time: int, user: int, domain: int, rows: Ints) -> None:
        """Note a list that its user is about to see; the world has not changed yet."""

    def after(self, look: Look) -> None:
        """Note what the user did."""


def run(
    world: World, service: Service, times: range, watcher: Watcher, prefix: str, tell: Callable[[int], object]
) -> None:
    """Let the users of these times look at their lists. Items that arrive meanwhile are put just before.

    Put `first_items` before the first run.

    prefix: of event ids. tell: is called with the number of impressions that are done. Raises Stop for a list that
    holds items of another world.
    """
    for first in range(times.start, times.stop, TOGETHER):
        some = range(first, min(first + TOGETHER, times.stop))
        if new := arrivals(world, some):
            service.put(new)
        records: list[Sent] = []
        for time, found in zip(some, _lists_of(world, service, some), strict=True):
            look = _look(world, service, time, found, watcher)
            if look is not None:
                records += look_records(world, look, prefix)
        service.take(records)
        tell(some.stop - times.start)


def first_items(world: World) -> list[Sent]:
    """Return the items that are there from the beginning, domains in turn: the text projection is fitted on some."""
    rows = range(max(int((items.born < 0).sum()) for items in world.items))
    pairs = ((domain, row) for row in rows for domain in range(len(world.domains)))
    return [item_record(world, *pair) for pair in pairs if world.items[pair[0]].born[pair[1]] < 0]


def arrivals(world: World, times: range) -> list[Sent]:
    """Return the items that arrive at these times."""
    return [
        item_record(world, domain, row)
        for domain, items in enumerate(world.items)
        for row in np.flatnonzero((items.born >= times.start) & (items.born < times.stop)).tolist()
    ]


def _lists_of(world: World, service: Service, times: range) -> list[ListShown]:
    """Return the lists of the users who look at these times."""
    users, domains = world.visits.user[times], world.visits.domain[times]
    found: list[ListShown] = [ListShown([], 0)] * len(times)
    for domain, name in enumerate(world.domains):
        here = np.flatnonzero(domains == domain)
        if len(here):
            lists = service.lists(name, [user_id(user) for user in users[here].tolist()], times.start)
            for place, one in zip(here.tolist(), lists, strict=True):
                found[place] = one
    return found


def _look(world: World, service: Service, time: int, shown: ListShown, watcher: Watcher) -> Look | None:
    """Let one user look at their list. None: it is empty."""
    user, domain = int(world.visits.user[time]), int(world.visits.domain[time])
    rows = rows_of(world, domain, shown.items[:LIST])
    watcher.before(time, user, domain, rows)
    if not len(rows):
        return None
    clicked = world.show(user, domain, rows, time)
    look = Look(time, user, domain, rows, clicked, shown.published_ts, service.now_ms(time))
    watcher.after(look)
    return look


def rows_of(world: World, domain: int, items: Sequence[str]) -> Ints:
    """Return the rows of items. Raises Stop if one is not of this world."""
    name = world.domains[domain]
    rows = np.zeros(len(items), np.int64)
    for place, item in enumerate(items):
        number = item.rpartition("-")[2]
        row = int(number) if number.isdecimal() else -1
        if not 0 <= row < world.settings.items or item != item_id(name, row):
            raise Stop(
                f"a list of {name} holds {item}, which this world does not have: give the simulated service topics "
                "and a redis.prefix of its own"
            )
        rows[place] = row
    return rows
