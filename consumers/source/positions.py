"""Keep how far each partition was read, and how far it can be read: numbers only, no Kafka."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from consumers.events.record import Offsets, TopicPartition


@dataclass(slots=True)
class _Partition:
    started: int
    """Offset where reading began."""
    position: int
    """Next offset to fetch."""
    polled: int
    """Offset after the last record that came.

    Up to `position` there is no further record: only the end of a transaction, an aborted one, or records that
    compaction removed.
    """
    end: int
    """First offset that cannot be read yet, as far as is known."""
    start_end: int | None
    """`end` when the partition first answered; None before."""


class Positions:
    """The offsets of every partition that is read."""

    def __init__(self) -> None:
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._behind: set[TopicPartition] = set()
        """Updated with every change, because every poll needs it and there may be many partitions."""

    def start(self, place: TopicPartition, offset: int, end: int, empty: bool = False) -> None:
        """Begin to read at `offset`. `end`: the log reaches at least this offset; `empty`: it ends exactly there."""
        self._partitions[place] = _Partition(offset, offset, offset, end, end if empty else None)
        self._update(place)

    def took(self, place: TopicPartition, next_offset: int) -> None:
        """Note that records up to `next_offset` came."""
        partition = self._partitions[place]
        partition.position = partition.polled = next_offset
        self._update(place)

    def skipped(self, place: TopicPartition, position: int) -> None:
        """Note that the next offset to fetch is `position`, and that nothing before it is a record."""
        self._partitions[place].position = max(self._partitions[place].position, position)
        self._update(place)

    def jump(self, place: TopicPartition, offset: int) -> None:
        """Go on at `offset`: the log has lost the records before it, or everything if `offset` has become smaller."""
        partition = self._partitions[place]
        partition.position, partition.polled = offset, min(partition.polled, offset)
        self._update(place)

    def ends_at(self, place: TopicPartition, end: int) -> None:
        """Note the partition's answer: it can be read up to `end`."""
        partition = self._partitions[place]
        partition.end = end
        if partition.start_end is None:
            partition.start_end = end
        self._update(place)

    def _update(self, place: TopicPartition) -> None:
        partition = self._partitions[place]
        if partition.start_end is None or partition.position < partition.end:
            self._behind.add(place)
        else:
            self._behind.discard(place)

    def position(self, place: TopicPartition) -> int:
        return self._partitions[place].position

    def end(self, place: TopicPartition) -> int | None:
        """Return the end that the partition last reported; None if it has not answered yet."""
        partition = self._partitions[place]
        return None if partition.start_end is None else partition.end

    def all(self) -> Offsets:
        """Return the next offset to fetch of every partition."""
        return {place: partition.position for place, partition in self._partitions.items()}

    def behind(self) -> set[TopicPartition]:
        """Return the partitions that may have more records; one that has not answered is always among them."""
        return self._behind

    def fetched_to_start_end(self, which: Callable[[str], bool]) -> bool:
        """Return whether everything was fetched that these topics held when they first answered."""
        return all(
            partition.start_end is not None and partition.position >= partition.start_end
            for (topic, _), partition in self._partitions.items()
            if which(topic)
        )

    def next(self, offsets: Offsets) -> Offsets:
        """See `Source.next_offsets`."""
        return {place: self.next_at(place, offsets) for place in self._partitions}

    def next_at(self, place: TopicPartition, offsets: Offsets) -> int:
        """Return where a restart would go on reading this partition, given the next offsets to learn."""
        partition = self._partitions[place]
        learned = max(offsets.get(place, 0), partition.started)
        return partition.position if learned >= partition.polled else learned

    def lag(self, offsets: Offsets) -> dict[TopicPartition, int]:
        """See `Source.lag`."""
        return {
            place: max(0, partition.end - self.next_at(place, offsets))
            for place, partition in self._partitions.items()
        }

    def reached_start_end(self, offsets: Offsets) -> bool:
        """See `Source.reached_start_end`."""
        return all(
            partition.start_end is not None and self.next_at(place, offsets) >= partition.start_end
            for place, partition in self._partitions.items()
        )
