"""Make a stream of records while they are read, with many more users and items than rows."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from consumers.events.record import Offsets, Record
from tests.support.doubles import ListSource

NEW, TARGET, RATING, ITEM_EVENT = 0.98, 0.005, 0.1, 0.01
"""Shares: events of users never seen before, in the target domain, with a rating; records that are item events."""
START = 1_700_000_000_000


TARGET_COLD = 0.5
"""Share of events in the target domain until all is warm."""


RECORDS = 2000
"""Records of a poll: several micro-batches, so that the stream is always behind."""


WORDS = ("dark", "red", "happy", "sad", "old", "new", "sea", "star", "love", "road", "night", "king", "ghost")


class Stream(ListSource):
    """A source whose records are made as they are read. `ids`: users that were seen."""

    def __init__(self, limit: int, users: int, items: int) -> None:
        super().__init__([])
        self._random = random.Random(0)
        self._limit, self._users, self._items = limit, users, items
        self._offsets_made: Offsets = {}
        self.ids = 0
        self.target = TARGET_COLD

    @property
    def exhausted(self) -> bool:
        return self.ids >= self._limit

    def poll(self, timeout: float) -> list[Record]:
        return [] if self.exhausted else list(self._made(RECORDS))

    def _made(self, count: int) -> Iterator[Record]:
        rng = self._random
        for _ in range(count):
            domain = "books" if rng.random() < self.target else "movies"
            item = f"{domain[0]}{int(self._items * rng.random() ** 3)}"
            if rng.random() < ITEM_EVENT:
                title = " ".join(rng.choices(WORDS, k=3))
                yield self._record(f"items.{domain}", item, {"item_id": item, "title": title})
                continue
            if rng.random() < NEW:
                user, self.ids = f"u{self.ids}", self.ids + 1
            else:  # resident or evicted
                user = f"u{max(0, self.ids - rng.randrange(1, 3 * self._users))}"
            fields: dict[str, Any] = {"type": "click", "user_id": user, "item_id": item}
            if rng.random() < RATING:
                fields |= {"type": "rating", "value": rng.randint(1, 5)}
            fields["event_id"] = f"{user}-{self.ids}-{rng.random()}"
            yield self._record(f"interactions.{domain}", user, fields)

    def _record(self, topic: str, key: str, fields: dict[str, Any]) -> Record:
        offset = self._offsets_made.get((topic, 0), 0)
        self._offsets_made[topic, 0] = offset + 1
        return Record(topic, 0, offset, START + 10 * self.ids, key.encode(), json.dumps(fields).encode())
