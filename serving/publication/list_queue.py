"""Queue lists to rewrite: the domain of the event first, the user's other domains when there is time."""

from __future__ import annotations

from collections.abc import Sequence


class ListQueue:
    """(user, domain) pairs in two classes, each in the order they came; a pair is in at most one of them."""

    def __init__(self, domains: Sequence[str]) -> None:
        self._urgent: dict[str, dict[str, None]] = {name: {} for name in domains}
        self._later: dict[str, dict[str, None]] = {name: {} for name in domains}

    def __len__(self) -> int:
        return sum(len(queue) for queues in (self._urgent, self._later) for queue in queues.values())

    def add(self, user: str, domain: str | None = None) -> None:
        """Queue all lists of a user. The one of `domain` is urgent; the others (all, without it) can wait."""
        for name, urgent in self._urgent.items():
            if name == domain:
                self.add_one(user, name)
            elif user not in urgent:
                self._later[name][user] = None

    def add_one(self, user: str, domain: str) -> None:
        """Queue one list as urgent."""
        if domain in self._urgent:
            self._later[domain].pop(user, None)
            self._urgent[domain][user] = None

    def discard(self, user: str) -> None:
        for queues in (self._urgent, self._later):
            for queue in queues.values():
                queue.pop(user, None)

    def take(self, limit: int) -> tuple[str, list[str]] | None:
        """Take up to `limit` users of one domain: the one with most urgent lists, else with most that wait."""
        for queues in (self._urgent, self._later):
            name = max(queues, key=lambda n: len(queues[n]), default=None)
            if name is not None and queues[name]:
                queue = queues[name]
                users = [user for user, _ in zip(queue, range(limit), strict=False)]
                for user in users:
                    del queue[user]
                return name, users
        return None

    def users(self) -> set[str]:
        """Return every user with a list to rewrite."""
        return {u for queues in (self._urgent, self._later) for queue in queues.values() for u in queue}
