"""Keep the events of users in lists that are never cut."""

from __future__ import annotations

Entry = tuple[int, int, float]
"""Domain, item row, time."""


class PlainHistory:
    """The latest `length` events of each user, without items whose row another item has got since."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.done: dict[int, list[tuple[Entry, int]]] = {}
        self.born: dict[tuple[int, int], int] = {}
        self.sequence = 0

    def add(self, user: int, domain: int, item: int, time: float) -> None:
        self.sequence += 1
        self.done.setdefault(user, []).append(((domain, item, time), self.sequence))

    def reborn(self, domain: int, item: int) -> None:
        self.born[domain, item] = self.sequence + 1

    def drop(self, user: int) -> None:
        self.done.pop(user, None)

    def count(self, user: int, domain: int) -> int:
        return sum(entry[0] == domain for entry, _ in self.done.get(user, []))

    def recent(self, user: int) -> list[Entry]:
        """Return what is remembered, newest first."""
        latest = self.done.get(user, [])[-self.length :][::-1]
        return [entry for entry, number in latest if number >= self.born.get(entry[:2], 0)]
