"""Say which partitions of the log a process reads: all, or those of its shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Protocol

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.record import TopicPartition


class Ownership(Protocol):
    """Which of the log's partitions this process reads."""

    def of(self, places: Collection[TopicPartition]) -> set[TopicPartition]:
        """Return the own ones of all partitions. Raises Stop if the log cannot be dealt out."""


class Everything:
    """One process reads all."""

    def of(self, places: Collection[TopicPartition]) -> set[TopicPartition]:
        return set(places)


class NoEvents:
    """The process that trains the network reads items, and no topic that is about users."""

    def __init__(self, others: Collection[str]) -> None:
        """others: the topics of events and of requests to forget."""
        self._others = frozenset(others)

    def of(self, places: Collection[TopicPartition]) -> set[TopicPartition]:
        return {place for place in places if place[0] not in self._others}


class ShardOwnership:
    """Partition p of a topic of events belongs to shard p % count. All shards read the other topics."""

    def __init__(self, index: int, count: int, events: Collection[str]) -> None:
        """events: the topics of events."""
        self.index, self.count, self._events = index, count, frozenset(events)
        self._first: int | None = None

    def of(self, places: Collection[TopicPartition]) -> set[TopicPartition]:
        number = self.partitions(places)
        self._first = self._first or number
        if number != self._first:
            raise Stop(
                f"topics of events had {self._first} partitions and have {number} now: users belong to other shards. "
                f"Stop all shards and run: crosscurrent rescale --count {self.count}",
                STATE_UNUSABLE,
            )
        return {p for p in places if p[0] not in self._events or p[1] % self.count == self.index}

    def partitions(self, places: Collection[TopicPartition]) -> int:
        """Return the number of partitions of every topic of events.

        Raises Stop if the numbers differ, or are too small.
        """
        counts = Counter(topic for topic, _ in places if topic in self._events)
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{topic} has {count}" for topic, count in sorted(counts.items()))
            raise Stop(
                f"topics of events have different numbers of partitions: {told}. With several shards they need the "
                "same number, because a user's events of all domains must reach the same shard. Create them anew "
                "with equal numbers, or set shards.count = 1."
            )
        number = max(counts.values(), default=0)
        if number < self.count:
            raise Stop(
                f"shards.count is {self.count}, but the topics of events have {number} partitions: shard {number} and "
                "those after it would read nothing. Lower shards.count, or create the topics with more partitions."
            )
        return number
