"""Remember the latest event_ids, in a window of fixed size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import Checkpointed, Rows
from models.tables.catalogue import grown, item_hash


class DedupWindow(Checkpointed):
    """The latest event_ids of each domain. A repeated id keeps its place in the window.

    The window holds 64-bit hashes, because an event_id may name its user. Two of 100,000 hashes collide once in 4
    billion windows. They lie in a ring, so that a checkpoint copies arrays, or only the new places.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = max(capacity, 0)
        self._seen: set[int] = set()
        self._oldest = 0
        self._written = DirtyKeys()
        """Places of the ring that were written."""
        self._events = np.zeros(0, np.int64)
        self._users = np.zeros(0, np.int64)
        """The hash of the user of each event."""

    def __len__(self) -> int:
        return len(self._seen)

    def repeated(self, domain: str, event_id: str | None, user: str = "") -> bool:
        """Return whether the id is in the window, and add it. An event without an id is never repeated."""
        if event_id is None or not self._capacity:
            return False
        key = item_hash(f"{domain}\t{event_id}")
        if key in self._seen:
            return True
        place = self._oldest
        if len(self._seen) < self._capacity:
            place = len(self._seen)  # the ring has not been full since it was last rewritten
            self._events, self._users = self._grown(self._events), self._grown(self._users)
        else:
            self._seen.discard(int(self._events[place]))
            self._oldest = (place + 1) % self._capacity
        self._seen.add(key)
        self._events[place], self._users[place] = key, item_hash(user)
        self._written.add(place)
        return False

    def _grown(self, ring: NDArray[np.int64]) -> NDArray[np.int64]:
        return grown(ring, len(self._seen) + 1)[: self._capacity]

    def forget_users(self, users: set[str]) -> None:
        """Remove the ids of these users' events."""
        events, of = self._in_order(self._events), self._in_order(self._users)
        theirs = np.isin(of, [item_hash(user) for user in users])
        if theirs.any():
            self._seen.difference_update(events[theirs].tolist())
            self._put(events[~theirs], of[~theirs])

    def _in_order(self, ring: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the ring, oldest first."""
        return np.roll(ring[: len(self._seen)], -self._oldest)

    def _put(self, events: NDArray[np.int64], users: NDArray[np.int64]) -> None:
        self._events, self._users, self._oldest = events, users, 0
        self._written.everything()

    def live(self) -> dict[str, Any]:
        return {
            "count": len(self._seen),
            "oldest": self._oldest,
            "events": Rows(self._written, self._events),
            "users": Rows(self._written, self._users),
        }

    def load(self, state: dict[str, Any]) -> None:
        self._events, self._users = state["events"].copy(), state["users"].copy()
        self._oldest, count = int(state["oldest"]), int(state["count"])
        self._seen = set(self._events[:count].tolist())
        self._written.everything()
        resized = count > self._capacity or (self._oldest and count < self._capacity)
        if resized:
            latest = slice(max(count - self._capacity, 0), count)
            self._put(self._in_order(self._events)[latest], self._in_order(self._users)[latest])
            self._seen = set(self._events.tolist())
