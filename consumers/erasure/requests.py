"""Keep who asked to be forgotten, and when: for each user a keyed hash and a time, never an id."""

from __future__ import annotations

from typing import Any

from consumers.erasure.mark_index import Mark
from consumers.events.decode import Forget


class ErasureRequests:
    """The requests so far. `take` collects them; `due` returns the marks that must be erased.

    `unswept`: marks of users who may still have keys in the store.
    """

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._since: dict[str, int] = {}
        self._due: set[str] = set()
        self.unswept: set[str] = set()

    def __len__(self) -> int:
        return len(self._since)

    def take(self, request: Forget) -> None:
        """Add a request. A later request of the same user counts from its own time.

        One that was carried out is not carried out again: what the user has done since stays. If all that is known of a
        request is that somebody deleted it from the topic, it may have been missed, and counts if it is the first.
        """
        since = self._since.get(request.mark)
        if since is not None and (request.deleted or request.timestamp <= since):
            return
        self._since[request.mark] = request.timestamp
        self._due.add(request.mark)
        self.unswept.add(request.mark)

    @property
    def waiting(self) -> bool:
        """Return whether requests were taken and not carried out yet."""
        return bool(self._due)

    def due(self) -> set[str]:
        """Return the marks of the waiting requests, and clear them."""
        due, self._due = self._due, set()
        return due

    def unsweep(self) -> None:
        """Mark every forgotten user for a new search: their keys may be back in the store."""
        self.unswept = set(self._since)

    def drops(self, user: str, *times: int) -> bool:
        """Return whether any time of an event (ms; below 0: unknown) is before its user's request."""
        if not self._since:
            return False
        since = self._since.get(self._mark(user))
        return since is not None and any(0 <= time <= since for time in times)

    def end_future(self, now: int) -> None:
        """Move requests from after `now` (ms) to `now`: they would drop events until then."""
        self._since = {mark: min(since, now) for mark, since in self._since.items()}

    def state(self) -> dict[str, Any]:
        return {
            "marks": list(self._since),
            "since": list(self._since.values()),
            "unswept": sorted(self.unswept),
        }

    def load(self, state: dict[str, Any]) -> None:
        self._since = dict(zip(state["marks"], state["since"], strict=True))
        self.unswept = set(state["unswept"])
