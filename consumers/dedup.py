"""Which event_ids were seen lately: a window of fixed size, oldest out first."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from itertools import chain
from typing import Any

import numpy as np


class DedupWindow:
    """`repeated` tells and remembers. Ids count per domain; a repeat does not renew its place.

    It holds 64-bit hashes, as an event_id may name its user: two of 100,000 are alike once in 4 billion windows.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._seen: OrderedDict[int, int] = OrderedDict()
        """Of the event's id to that of its user."""

    def __len__(self) -> int:
        return len(self._seen)

    def repeated(self, domain: str, event_id: str | None, user: str = "") -> bool:
        """True if the id is in the window; without an id every event is new."""
        if event_id is None or self._capacity <= 0:
            return False
        key = _hash(f"{domain}\t{event_id}")
        if key in self._seen:
            return True
        self._seen[key] = _hash(user)
        if len(self._seen) > self._capacity:
            self._seen.popitem(last=False)
        return False

    def forget_users(self, users: set[str]) -> None:
        """Drops the ids of these users' events."""
        gone = {_hash(user) for user in users}
        for key in [key for key, of in self._seen.items() if of in gone]:
            del self._seen[key]

    def state(self) -> dict[str, Any]:
        # Learning waits meanwhile, and a pass over the window is what takes time: one for both.
        numbers = chain.from_iterable(self._seen.items())
        pairs = np.fromiter(numbers, np.int64, 2 * len(self._seen)).reshape(-1, 2)
        return {"events": pairs[:, 0], "users": pairs[:, 1]}

    def load(self, state: dict[str, Any]) -> None:
        pairs = list(zip(state["events"].tolist(), state["users"].tolist(), strict=True))
        self._seen = OrderedDict(pairs[-self._capacity :] if self._capacity > 0 else ())


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
