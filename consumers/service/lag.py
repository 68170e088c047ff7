"""Measure how far learning is behind the log, in records and in seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from consumers.events.decode import SECONDS_LIMIT, Topics
from consumers.events.record import Offsets, Record, TopicPartition


class Lag(NamedTuple):
    """One measurement; it does not change, so any thread may read it.

    records: not learned yet, by partition. seconds: how long the oldest of them has waited, by domain.
    """

    records: Mapping[TopicPartition, int] = MappingProxyType({})
    seconds: Mapping[str, float] = MappingProxyType({})


class LagWatch:
    """Measures the lag. `clock`: Unix time, s."""

    def __init__(self, topics: Topics, clock: Callable[[], float] = time.time) -> None:
        self._topics = topics
        self._clock = clock
        self._seen: dict[TopicPartition, tuple[int, float]] = {}
        """For partitions with waiting records: an end of the log, and when it was first seen."""

    def look(self, records: Mapping[TopicPartition, int], offsets: Offsets, waiting: Iterable[Record]) -> Lag:
        """Return the lag.

        records: number behind the end, by partition. offsets: the next to learn. waiting: known records, in order
        within each partition.
        """
        now = self._clock()
        first: dict[TopicPartition, Record] = {}
        for record in waiting:
            first.setdefault((record.topic, record.partition), record)
        domains = [domain for domain, kind in self._topics.values() if kind == "interactions"]
        seconds = dict.fromkeys(domains, 0.0)
        for place, behind in records.items():
            domain, kind = self._topics[place[0]]
            waited = self._waited(place, offsets.get(place, 0), behind, first.get(place), now)
            if kind == "interactions":
                seconds[domain] = max(seconds[domain], waited)
        return Lag(MappingProxyType(dict(records)), MappingProxyType(seconds))

    def _waited(
        self, place: TopicPartition, offset: int, behind: int, record: Record | None, now: float
    ) -> float:
        """Return the seconds since the next record was written, by its own time.

        If that time is unknown or impossible, return the seconds since the record was first seen to wait.
        """
        if not behind:
            self._seen.pop(place, None)
            return 0.0
        end, since = self._seen.get(place, (offset, now))
        if offset >= end:
            self._seen[place] = (offset + behind, now)
            since = now
        if record is not None and SECONDS_LIMIT <= record.timestamp <= 1000 * now:
            return now - record.timestamp / 1000
        return max(0.0, now - since)
