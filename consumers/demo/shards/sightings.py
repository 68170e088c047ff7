"""Watch in the store how many events of each user are learned, and when each became readable."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from serving.client.keys import Keys

UserIn = tuple[str, str]
"""A domain and a user."""
LOOK_SECONDS = 0.25
COST_SHARE = 0.2
"""The most time that looking may take. With many users the looks become rarer."""


class Sightings:
    """Remembers when the store first had so many events of a user. A look may come late, by `LOOK_SECONDS` or more."""

    def __init__(self) -> None:
        self.latest: Counter[UserIn] = Counter()
        """Events by user and domain, as the store has them now."""
        self._seen: dict[UserIn, list[int]] = {}

    def note(self, counts: Mapping[UserIn, int], written_ms: Mapping[str, int]) -> None:
        """Take in what a look has found. written_ms: by user, when the record was written."""
        for who, count in counts.items():
            self.latest[who] = count
            seen = self._seen.setdefault(who, [])
            seen.extend([written_ms[who[1]]] * (count - len(seen)))

    def readable_ms(self, who: UserIn, number: int) -> int | None:
        """Return when the event of this number, from 0, became readable; None if it is not."""
        seen = self._seen.get(who, [])
        return seen[number] if number < len(seen) else None

    def users(self) -> set[str]:
        return {user for _, user in self.latest}


class StoreWatch:
    """Looks at the store from time to time. One thread calls it. store: a client of Redis."""

    def __init__(
        self, store: Any, domains: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seen = Sightings()
        self._store, self._domains, self._clock = store, list(domains), clock
        self._keys, self._due = Keys(), 0.0

    def look_if_due(self) -> bool:
        """Look if it is time. Return whether it was."""
        if self._clock() < self._due:
            return False
        self.look()
        return True

    def look(self) -> None:
        """Read the records of all users."""
        begun = self._clock()
        found = self._store.scan_iter(match=self._keys.pattern("user:*"), count=1000)
        users = [user for key in found if (user := self._keys.owner(key.decode())) is not None]
        asked = self._store.pipeline(transaction=False)
        for user in users:
            asked.hmget(self._keys.user(user), "published_ts", *(f"events:{name}" for name in self._domains))
        counts: dict[UserIn, int] = {}
        written: dict[str, int] = {}
        for user, (at, *events) in zip(users, asked.execute(), strict=True):
            if at is None:
                continue
            written[user] = int(at)
            counts.update({(d, user): int(n) for d, n in zip(self._domains, events, strict=True) if n})
        self.seen.note(counts, written)
        self._due = self._clock() + max(LOOK_SECONDS, (self._clock() - begun) / COST_SHARE)

    def lists_of(self, users: Iterable[str], domain: str) -> int:
        """Count those of the users who have a list of their own in the store."""
        asked = self._store.pipeline(transaction=False)
        for user in users:
            asked.exists(self._keys.recommendations(user, domain))
        return sum(asked.execute())
