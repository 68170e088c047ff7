"""Collect records into micro-batches by count or age. Every record lands in exactly one batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from consumers.events.decode import Decoded
from consumers.events.record import Offsets, Record
from consumers.service.canary import Canary
from consumers.sharing.reroute import Rerouted

LIVE_EVENTS = 16
"""Most events of a small batch that are scored together. So many records wait for no others."""
Entry = Decoded | Canary | Rerouted


class Batch(NamedTuple):
    """Decoded records in order, and the next offset of each of their partitions, canaries left out."""

    entries: list[tuple[Record, Entry]]
    offsets: Offsets

    def age(self, now: float) -> float:
        """Return how long ago, in seconds, the last record was written; 0 without one. now: seconds since the epoch."""
        return now - self.entries[-1][0].timestamp / 1000 if self.entries else 0.0


class Batcher:
    """Collects entries; `take` returns a batch once one is due: with `LIVE_EVENTS` entries, or after the age limit."""

    def __init__(self, max_events: int, max_age: float, clock: Callable[[], float]) -> None:
        self._max_events = max_events
        self._max_age = max_age
        self._clock = clock
        self._entries: list[tuple[Record, Entry]] = []
        self._since = 0.0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, record: Record, decoded: Entry, since: float | None = None) -> None:
        """Add a record. since: when it may have come, if that was before now."""
        if not self._entries:
            self._since = self._clock() if since is None else since
        self._entries.append((record, decoded))

    def records(self) -> list[Record]:
        """Return the records that are in no batch yet, in order."""
        return [record for record, _ in self._entries]

    def wait(self) -> float:
        """Return the seconds until the oldest entry is due; the age limit if nothing waits."""
        if not self._entries:
            return self._max_age
        return max(0.0, self._since + self._max_age - self._clock())

    def take(self, flush: bool = False) -> Batch | None:
        """Return the next batch if one is due; with `flush` if there is any entry; else None."""
        due = len(self._entries) >= min(LIVE_EVENTS, self._max_events)
        if not due and not (self._entries and (flush or self.wait() <= 0.0)):
            return None
        entries, self._entries = self._entries[: self._max_events], self._entries[self._max_events :]
        offsets: Offsets = {}
        for record, decoded in entries:
            if not isinstance(decoded, Canary):
                offsets[record.topic, record.partition] = record.offset + 1
        return Batch(entries, offsets)
