"""Several partitions as one stream in time order, so that a backlog teaches in the order it happened."""

from __future__ import annotations

import heapq
import math
import time
from collections import deque
from collections.abc import Callable

from consumers.events.record import Record, TopicPartition

BUFFER_BYTES = 64_000_000
"""Memory for the records that are held, of all partitions together."""
RECORD_BYTES = 250
"""What Python needs for a record besides the bytes of its key and value, measured."""


def _bytes(record: Record) -> int:
    return RECORD_BYTES + len(record.key or b"") + len(record.value or b"")


class Patience:
    """Which starving places the others still wait for: each for `seconds` since it began to starve, then no more.

    A place that can give nothing is so waited for once, not again for every record of the others. It is waited for
    anew after it gave something.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since: dict[TopicPartition, float] = {}

    def waited_for(self, starving: set[TopicPartition], busy: bool = False) -> set[TopicPartition]:
        """`starving`: all places that have more to read and show nothing. `busy`: so much came of others that this
        says nothing about those that are still waited for; their time begins anew."""
        now = self._clock()
        since = {place: self._since.get(place, now) for place in starving}
        waited = {place for place, began in since.items() if now - began <= self._seconds}
        self._since = since | dict.fromkeys(waited, now) if busy else since
        return waited


class TimeMerge:
    """Holds polled records per place and gives back the ones whose turn it is, oldest record time first.

    Order within a place is kept as it came. A record waits while another place that has more to read shows
    nothing yet, because that one may be older; `patience` ends that. `buffer_bytes`: how much memory the records of
    all places may take. `waited_for`: the places that the last `take` waited for.
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
        """Those that hold their share of the memory, of `places` places: reading them may pause."""
        return {place for place, held in self._bytes.items() if held > 0 and held * places >= self._limit}

    def heads(self) -> list[Record]:
        """The next record of each place that holds any."""
        return [held[0] for held in self._held.values() if held]

    def starving(self, behind: set[TopicPartition]) -> set[TopicPartition]:
        """Those of `behind` that show nothing."""
        return {place for place in behind if not self._held.get(place)}

    def take(self, behind: set[TopicPartition], limit: int, busy: bool = False) -> list[Record]:
        """At most `limit` records. `behind`: places whose log has more than was polled so far. `busy`: see Patience."""
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
            elif place in behind:
                break
            else:
                heapq.heappop(heads)
        return out
