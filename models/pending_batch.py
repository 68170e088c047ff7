"""Events that wait for the next network step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.tables.replay_buffer import capped


class PendingEvent(NamedTuple):
    """One learned event: rows, the rating's residual (nan for a click), and its context.

    time: seconds. recent: (L, 3) domain, row and time of the user's latest items before it.
    """

    domain: int
    user: int
    item: int
    residual: float
    time: float
    recent: NDArray[np.float64]


class PendingBatch:
    """The micro-batch of the slow path, in the order of the events."""

    def __init__(self) -> None:
        self.events: list[PendingEvent] = []
        self._users: set[int] = set()
        self._items: set[tuple[int, int]] = set()

    def __len__(self) -> int:
        return len(self.events)

    def add(self, event: PendingEvent) -> None:
        """Append one event."""
        self.events.append(event)
        self._users.add(event.user)
        self._items.add((event.domain, event.item))

    def take(self) -> list[PendingEvent]:
        """Return all events; none waits afterwards."""
        taken, self.events, self._users, self._items = self.events, [], set(), set()
        return taken

    def drop_user(self, row: int) -> None:
        """Drop the events of a user row. Rare: an evicted user was usually last seen before this micro-batch."""
        if row in self._users:
            self.events = [event for event in self.events if event.user != row]
            self._users.remove(row)

    def drop_item(self, domain: int, row: int) -> None:
        """Drop the events of an item row."""
        if (domain, row) in self._items:
            self.events = [event for event in self.events if (event.domain, event.item) != (domain, row)]
            self._items.remove((domain, row))

    def end_future(self, now: float) -> None:
        """Let no time lie after `now`, in seconds."""
        self.events = [
            event._replace(time=min(event.time, now), recent=capped(event.recent, now))
            for event in self.events
        ]

    def state(self) -> dict[str, Any]:
        return {
            "slow": [[e.domain, e.user, e.item, e.residual, e.time] for e in self.events],
            "slow_recent": np.stack([e.recent for e in self.events]) if self.events else None,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave."""
        self.take()
        recent = () if state["slow_recent"] is None else state["slow_recent"]
        for (domain, user, item, residual, time), row in zip(state["slow"], recent, strict=True):
            self.add(PendingEvent(domain, user, item, residual, time, row))
