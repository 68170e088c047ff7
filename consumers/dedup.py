"""Which event_ids were seen lately: a window of fixed size, oldest out first."""

from __future__ import annotations

from collections import OrderedDict


class DedupWindow:
    """`repeated` tells and remembers. Ids count per domain; a repeat does not renew its place."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._seen: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def repeated(self, domain: str, event_id: str | None) -> bool:
        """True if the id is in the window; without an id every event is new."""
        if event_id is None or self._capacity <= 0:
            return False
        key = f"{domain}\t{event_id}"
        if key in self._seen:
            return True
        self._seen[key] = None
        if len(self._seen) > self._capacity:
            self._seen.popitem(last=False)
        return False

    def state(self) -> list[str]:
        return list(self._seen)

    def load(self, state: list[str]) -> None:
        self._seen = OrderedDict.fromkeys(state[-self._capacity :] if self._capacity > 0 else ())
