"""Collect events for the next network step."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.network.network_learner import NetworkLearner
from models.network.published.published_network import PublishedNetwork
from models.tables.replay_buffer import capped
from models.threads import Task, nothing


class Pending(NamedTuple):
    """Events in their order, which all parts but the network have learned.

    domain, user, item: (n,) index and rows. residual: (n,) see `Facts`. time: (n,) seconds. recent: (n, L, 3) domain,
    row and time of the user's latest items before the event.
    """

    domain: NDArray[np.int64]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    residual: NDArray[np.float64]
    time: NDArray[np.float64]
    recent: NDArray[np.float64]

    def some(self, places: Any) -> Pending:
        """Return some of the events. places: what picks rows of an array."""
        return Pending(*(column[places] for column in self))


class PendingBatch:
    """The micro-batch of the slow path, in the order of the events."""

    def __init__(self) -> None:
        self._chunks: list[Pending] = []
        self._count = 0
        self._users: set[int] = set()
        self._items: set[tuple[int, int]] = set()

    def __len__(self) -> int:
        return self._count

    def add(self, events: Pending) -> None:
        """Append events."""
        self._chunks.append(events)
        self._count += len(events.user)
        self._users.update(events.user.tolist())
        self._items.update(zip(events.domain.tolist(), events.item.tolist(), strict=True))

    def take(self) -> Pending | None:
        """Return all events and forget them; None if there are none."""
        taken = self._whole()
        self._replace([])
        return taken

    def begin_step(self, network: NetworkLearner | PublishedNetwork) -> Task:
        """Let the network begin a step on all events, and forget them; return what ends the step."""
        events = self.take()
        if events is None:
            return nothing
        return network.begin(*events[:3], events.residual.astype(np.float32), *events[4:])

    def _whole(self) -> Pending | None:
        if not self._chunks:
            return None
        return Pending(*(np.concatenate(arrays) for arrays in zip(*self._chunks, strict=True)))

    def _replace(self, chunks: list[Pending]) -> None:
        self._chunks, self._count, self._users, self._items = [], 0, set(), set()
        for chunk in chunks:
            if len(chunk.user):
                self.add(chunk)

    def drop_user(self, row: int) -> None:
        """Drop the events of a user row. Rare: an evicted user was usually last seen before this micro-batch."""
        if row in self._users:
            self._keep(lambda events: events.user != row)

    def drop_item(self, domain: int, row: int) -> None:
        """Drop the events of an item row."""
        if (domain, row) in self._items:
            self._keep(lambda events: (events.domain != domain) | (events.item != row))

    def _keep(self, wanted: Any) -> None:
        self._replace([chunk.some(wanted(chunk)) for chunk in self._chunks])

    def end_future(self, now: float) -> None:
        """Set every time after `now` (seconds) to `now`."""
        self._chunks = [
            chunk._replace(time=np.minimum(chunk.time, now), recent=capped(chunk.recent, now))
            for chunk in self._chunks
        ]

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        events = self._whole()
        if events is None:
            return {"slow": [], "slow_recent": None}
        columns = [column.tolist() for column in events[:5]]
        return {"slow": [list(row) for row in zip(*columns, strict=True)], "slow_recent": events.recent}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self._replace([])
        if state["slow"]:
            domain, user, item, residual, time = map(np.array, zip(*state["slow"], strict=True))
            recent = np.array(state["slow_recent"], np.float64)
            self.add(
                Pending(domain, user, item, residual.astype(np.float64), time.astype(np.float64), recent)
            )
