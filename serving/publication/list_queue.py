"""Queue lists to rewrite: in the domain of the event first, in the user's other domains when there is time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import islice


class ListQueue:
    """(user, domain) pairs in two classes, urgent and later; a pair is in at most one of them.

    The users who did something last are served first, because they are about to look. Once the pair at the other end
    has waited longer than `within` seconds, which may be set at any time, it is served first instead.
    """

    def __init__(
        self, domains: Sequence[str], clock: Callable[[], float] = lambda: 0.0, within: float = math.inf
    ) -> None:
        """clock: seconds. within: how long an urgent list may wait."""
        self._urgent: dict[str, dict[str, float]] = {name: {} for name in domains}
        self._later: dict[str, dict[str, float]] = {name: {} for name in domains}
        self._clock, self.within = clock, within

    def __len__(self) -> int:
        return sum(len(queue) for queues in (self._urgent, self._later) for queue in queues.values())

    def add(self, user: str, domain: str | None = None) -> None:
        """Add all lists of the user. The list of `domain` is urgent, the others can wait."""
        for name, urgent in self._urgent.items():
            if name == domain:
                self.add_one(user, name)
            elif user not in urgent:
                self._later[name].setdefault(user, self._clock())

    def add_one(self, user: str, domain: str) -> None:
        """Add this one list, urgently. It counts as waiting since it was first added."""
        if domain in self._urgent:
            urgent = self._urgent[domain]
            self._later[domain].pop(user, None)
            since = urgent.pop(user, self._clock())
            urgent[user] = since

    def discard(self, user: str) -> None:
        """Remove all lists of the user."""
        for queues in (self._urgent, self._later):
            for queue in queues.values():
                queue.pop(user, None)

    def overdue(self) -> bool:
        """Return whether an urgent list has waited too long."""
        return any(self._is_overdue(queue) for queue in self._urgent.values())

    def _is_overdue(self, queue: dict[str, float]) -> bool:
        return bool(queue) and self._clock() - next(iter(queue.values())) > self.within

    def take(self, limit: int) -> tuple[str, list[str]] | None:
        """Take up to `limit` users of the domain with most urgent lists, else with most waiting ones; None if empty."""
        for queues in (self._urgent, self._later):
            name = max(queues, key=lambda n: (self._is_overdue(queues[n]), len(queues[n])), default=None)
            if name is not None and queues[name]:
                queue = queues[name]
                users = list(islice(queue if self._is_overdue(queue) else reversed(queue), limit))
                for user in users:
                    del queue[user]
                return name, users
        return None

    def users(self) -> set[str]:
        """Return every user with a list to rewrite."""
        return {u for queues in (self._urgent, self._later) for queue in queues.values() for u in queue}
