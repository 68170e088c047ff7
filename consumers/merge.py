"""Several partitions as one stream in time order, so that a backlog teaches in the order it happened."""

from __future__ import annotations

import heapq
from collections import deque

from consumers.source import Place, Record


class TimeMerge:
    """Holds polled records per place and gives back the ones whose turn it is, oldest record time first.

    Order within a place is kept as it came. A record waits while another place that has more to read shows
    nothing yet, because that one may be older; `take(force=True)` ends the waiting.
    """

    def __init__(self, buffer_records: int = 20_000) -> None:
        self._limit = buffer_records
        self._held: dict[Place, deque[Record]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def add(self, place: Place, records: list[Record]) -> None:
        self._held.setdefault(place, deque()).extend(records)

    def full(self) -> set[Place]:
        """Places that hold enough: reading them may pause."""
        return {place for place, held in self._held.items() if len(held) >= self._limit}

    def holds(self, place: Place) -> bool:
        return bool(self._held.get(place))

    def take(self, behind: set[Place], limit: int, force: bool = False) -> list[Record]:
        """At most `limit` records. `behind`: places whose log has more than was polled so far."""
        heads = [(held[0].timestamp, place) for place, held in self._held.items() if held]
        heapq.heapify(heads)
        out: list[Record] = []
        if not force and any(not self.holds(place) for place in behind):
            return out
        while heads and len(out) < limit:
            _, place = heads[0]
            held = self._held[place]
            out.append(held.popleft())
            if held:
                heapq.heapreplace(heads, (held[0].timestamp, place))
            elif place in behind and not force:
                break
            else:
                heapq.heappop(heads)
        return out
