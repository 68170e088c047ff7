"""Who asked to be forgotten, and since when: a keyed hash and a time each, never an id."""

from __future__ import annotations

from typing import Any

from consumers.erasure.mark_index import Mark
from consumers.events.decode import Forget


class Forgotten:
    """The requests so far. `take` collects new ones, and whoever erases asks `due` for their marks.

    `unswept`: marks whose users may still have keys in the store.
    """

    def __init__(self, mark: Mark) -> None:
        self._mark = mark
        self._since: dict[str, int] = {}
        self._due: set[str] = set()
        self.unswept: set[str] = set()

    def __len__(self) -> int:
        return len(self._since)

    def take(self, request: Forget) -> None:
        """A later request of the same user counts from its own time on."""
        self._since[request.mark] = max(request.timestamp, self._since.get(request.mark, 0))
        self._due.add(request.mark)
        self.unswept.add(request.mark)

    @property
    def waiting(self) -> bool:
        """There are requests that were taken and not yet carried out."""
        return bool(self._due)

    def due(self) -> set[str]:
        """The marks of the requests that wait; none waits afterwards."""
        due, self._due = self._due, set()
        return due

    def unsweep(self) -> None:
        """Keys of anybody who was ever forgotten may be in the store again."""
        self.unswept = set(self._since)

    def drops(self, user: str, *times: int) -> bool:
        """Whether an event of this user is from before their request, by any of its times (ms; below 0: unknown)."""
        if not self._since:
            return False
        since = self._since.get(self._mark(user))
        return since is not None and any(0 <= time <= since for time in times)

    def end_future(self, now: int) -> None:
        """No request is of a time after `now` (ms): it would drop events for as long."""
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
