"""How far each partition has been read, and how far it can be read: numbers only, nothing of Kafka."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from consumers.events.record import Offsets, TopicPartition


@dataclass(slots=True)
class _Partition:
    started: int
    """Where reading began."""
    position: int
    """The next offset to fetch …"""
    polled: int
    """… and one past the last record that came. What lies between is no record: the end of a transaction, an aborted
    one, records that compaction removed."""
    end: int
    """The first offset that cannot be read yet, as far as is known."""
    start_end: int | None
    """The same when the partition first answered; None before."""


class Positions:
    """Offsets of every partition that is read, by place."""

    def __init__(self) -> None:
        self._partitions: dict[TopicPartition, _Partition] = {}

    def start(self, place: TopicPartition, offset: int, end: int, empty: bool = False) -> None:
        """Reading begins at `offset`. `end`: the log reaches at least so far; `empty`: and no further."""
        self._partitions[place] = _Partition(offset, offset, offset, end, end if empty else None)

    def took(self, place: TopicPartition, next_offset: int) -> None:
        """Records up to `next_offset` came."""
        partition = self._partitions[place]
        partition.position = partition.polled = next_offset

    def skipped(self, place: TopicPartition, position: int) -> None:
        """The next offset to fetch is `position`, and what lies before it is no record."""
        self._partitions[place].position = max(self._partitions[place].position, position)

    def jump(self, place: TopicPartition, offset: int) -> None:
        """Fetching goes on at `offset`: the log has lost what was before, or (`offset` is smaller) all it had."""
        partition = self._partitions[place]
        partition.position, partition.polled = offset, min(partition.polled, offset)

    def ends_at(self, place: TopicPartition, end: int) -> None:
        """The partition has answered: it can be read up to `end`."""
        partition = self._partitions[place]
        partition.end = end
        if partition.start_end is None:
            partition.start_end = end

    def position(self, place: TopicPartition) -> int:
        return self._partitions[place].position

    def is_behind(self, place: TopicPartition) -> bool:
        """Whether there is more to fetch, as far as is known: a partition that has not answered may have some."""
        partition = self._partitions[place]
        return partition.start_end is None or partition.position < partition.end

    def behind(self) -> set[TopicPartition]:
        return {place for place in self._partitions if self.is_behind(place)}

    def fetched_to_start_end(self, which: Callable[[str], bool]) -> bool:
        """Whether all that was in the partitions of these topics when they first answered has been fetched."""
        return all(
            partition.start_end is not None and partition.position >= partition.start_end
            for (topic, _), partition in self._partitions.items()
            if which(topic)
        )

    def next(self, offsets: Offsets) -> Offsets:
        """See `Source.next_offsets`."""
        return {place: self._next(place, offsets) for place in self._partitions}

    def _next(self, place: TopicPartition, offsets: Offsets) -> int:
        partition = self._partitions[place]
        learned = max(offsets.get(place, 0), partition.started)
        return partition.position if learned >= partition.polled else learned

    def lag(self, offsets: Offsets) -> dict[TopicPartition, int]:
        """See `Source.lag`."""
        return {
            place: max(0, partition.end - self._next(place, offsets))
            for place, partition in self._partitions.items()
        }

    def reached_start_end(self, offsets: Offsets) -> bool:
        """See `Source.reached_start_end`."""
        return all(
            partition.start_end is not None and self._next(place, offsets) >= partition.start_end
            for place, partition in self._partitions.items()
        )
