"""Merge several partitions into one stream in time order, so that a backlog is learned as it happened."""

from __future__ import annotations

import heapq
import math
import time
from collections import deque
from collections.abc import Callable

from consumers.events.record import Record, TopicPartition

BUFFER_BYTES = 64_000_000
"""Memory for the records that are held, over all partitions."""
RECORD_BYTES = 250
"""Bytes that Python needs for a record besides key and value, measured."""


def _bytes(record: Record) -> int:
    return RECORD_BYTES + len(record.key or b"") + len(record.value or b"")


class Patience:
    """Decides for which starving partitions the others still wait: for each `seconds` since it began to starve.

    So the others wait for a silent partition once, not again for every record of theirs. They wait for it
    again after it has delivered something.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since: dict[TopicPartition, float] = {}

    def waited_for(self, starving: set[TopicPartition], busy: bool = False) -> set[TopicPartition]:
        """Return the partitions to wait for.

        starving: all partitions that have more to read and hold no record. busy: so much came from others that the
        silence of these proves nothing; their time starts again.
        """
        now = self._clock()
        since = {place: self._since.get(place, now) for place in starving}
        waited = {place for place, began in since.items() if now - began <= self._seconds}
        self._since = since | dict.fromkeys(waited, now) if busy else since
        return waited


class TimeMerge:
    """Holds polled records per partition and hands out those whose turn it is, oldest record time first.

    The order within a partition is kept. A record waits while another partition has more to read and holds no record,
    because its next one may be older; `patience` ends the wait. `buffer_bytes`: memory for the records of all
    partitions. `waited_for`: the partitions for which the last `take` waited.
    """

    def __init__(self, buffer_bytes: int = BUFFER_BYTES, patience: Patience | None = None) -> None:
        self._limit = buffer_bytes
        self._patience = patience or Patience(math.inf)
        self.waited_for: set[TopicPartition] = set()
        self._held: dict[TopicPartition, deque[Record]] = {}
        self._bytes: dict[TopicPartition, int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def add(self, place: TopicPartition, records: list[Record]) -> None:
        self._held.setdefault(place, deque()).extend(records)
        self._bytes[place] = self._bytes.get(place, 0) + sum(map(_bytes, records))

    def full(self, places: int) -> set[TopicPartition]:
        """Return the partitions that have used their share of the memory among `places`: they may be paused."""
        return {place for place, held in self._bytes.items() if held > 0 and held * places >= self._limit}

    def heads(self) -> list[Record]:
        """Return the next record of each partition that holds any."""
        return [held[0] for held in self._held.values() if held]

    def starving(self, behind: set[TopicPartition]) -> set[TopicPartition]:
        """Return the partitions of `behind` that hold no record."""
        return {place for place in behind if not self._held.get(place)}

    def take(self, behind: set[TopicPartition], limit: int, busy: bool = False) -> list[Record]:
        """Return at most `limit` records.

        `behind`: partitions whose log has more than was polled. `busy`: see Patience.
        """
        starving = self.starving(behind)
        self.waited_for = self._patience.waited_for(starving, busy)
        out: list[Record] = []
        if self.waited_for:
            return out
        heads = [(held[0].timestamp, place) for place, held in self._held.items() if held]
        heapq.heapify(heads)
        while heads and len(out) < limit:
            _, place = heads[0]
            held = self._held[place]
            out.append(held.popleft())
            self._bytes[place] -= _bytes(out[-1])
            if held:
                heapq.heapreplace(heads, (held[0].timestamp, place))
                continue
            del self._held[place], self._bytes[place]  # partitions may be many, and most of them quiet
            if place in behind:
                break
            heapq.heappop(heads)
        return out
