"""Decide which topics of items must be read anew, because Kafka may have deleted the records of removed items.

A compacted topic keeps the newest record of each key. A record without a value, which removes an item, goes too: some
time (`delete.retention.ms`) after it has become the newest. A reader that was at the end less long ago has missed
none. Any other may hold items that the topic no longer has. Reading the topic from its oldest record shows which.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from consumers.events.record import Offsets, TopicPartition

MARGIN = 0.9
"""Share of `delete.retention.ms` that counts. The clocks of broker and service may differ."""
log = structlog.get_logger()


class CompactedItems:
    """When each partition of these topics was last read to its end, and which topics are read anew.

    `late` topics must be read anew once everything is learned that was read of them; `anew` are those that are. Times
    are in seconds since the epoch.
    """

    def __init__(
        self, kept: Mapping[str, float], least: float = 0.0, clock: Callable[[], float] = time.time
    ) -> None:
        """kept: by topic, the seconds for which it keeps a record without a value.

        least: seconds without reaching the end that do not matter while the service runs.
        """
        self._limits = {topic: MARGIN * seconds for topic, seconds in kept.items()}
        self._least, self._clock = least, clock
        self._at_end: dict[TopicPartition, float] = {}
        self._told: dict[TopicPartition, tuple[int, float]] = {}
        """A reported end of the log, and when. Once all before it is learned, the partition was at its end then."""
        self._last: dict[TopicPartition, float] = {}
        """When each partition was last learned up to an end that it had reported."""
        self._again: dict[TopicPartition, float] = {}
        """The same times as `_at_end`, for topics that are read anew."""
        self.late: set[str] = set()
        self.anew: set[str] = set()
        self.anew_at_start: set[str] = set()
        """Topics of `anew` that have been read anew since the start."""

    def start(self, learned: Offsets, at_end: Mapping[TopicPartition, float]) -> set[str]:
        """Return the topics to read anew at a start.

        learned: the next offset of each partition that the checkpoint knows. at_end: when each of them was last at its
        end; one that is missing was too long ago.
        """
        now = self._clock()
        for place in learned:
            topic = place[0]
            if (limit := self._limits.get(topic)) is None:
                continue
            if place in at_end:
                self._at_end[place] = self._last[place] = at_end[place]
            if now - at_end.get(place, 0.0) > limit:
                self.anew.add(topic)
        for topic in sorted(self.anew):
            self._say(topic)
        self.anew_at_start = set(self.anew)
        return self.anew_at_start

    @property
    def waits(self) -> bool:
        """Whether `learned` has anything to note, which is rare."""
        return bool(self._told or self.anew or self.late)

    def of(self, places: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Return the `places` that belong to these topics."""
        return [place for place in places if place[0] in self._limits]

    def ends_at(self, place: TopicPartition, end: int) -> None:
        """Note that the log ends at `end` now."""
        if place[0] in self._limits:
            self._told.setdefault(place, (end, self._clock()))

    def nothing_new(
        self, places: Iterable[TopicPartition], ends: Callable[[TopicPartition], int | None]
    ) -> None:
        """Note that the log still ends where it did. ends: of a partition; None if it has not told yet."""
        for place in self.of(places):
            if (end := ends(place)) is not None:
                self.ends_at(place, end)

    def learned(self, offsets: Offsets, position: Callable[[TopicPartition], int]) -> list[TopicPartition]:
        """Note the next offset to learn of each partition of these topics. Return what to read anew from now on.

        A late topic is not fetched. Reading begins anew once everything is learned up to its `position`: records still
        on their way would look like records that are read anew.
        """
        for place in [place for place, (end, _) in self._told.items() if offsets.get(place, 0) >= end]:
            self._reached(place, self._told.pop(place)[1])
        for topic in sorted(self.anew):
            if all(place in self._again for place in offsets if place[0] == topic):
                self._at_end |= {place: when for place, when in self._again.items() if place[0] == topic}
                self.anew.remove(topic)
                self.anew_at_start.discard(topic)
        again = []
        for topic in sorted(self.late):
            places = [place for place in offsets if place[0] == topic]
            if all(offsets[place] == position(place) for place in places):
                self._begin(topic)
                again += places
        return again

    def _reached(self, place: TopicPartition, when: float) -> None:
        topic, now = place[0], self._clock()
        last, self._last[place] = self._last.get(place, now), now
        if topic in self.anew:  # however long that took: another reading would take as long
            self._again[place] = when
        elif now - last > max(self._least, self._limits[topic]):
            self.late.add(topic)
        elif topic not in self.late:
            self._at_end[place] = when

    def _begin(self, topic: str) -> None:
        self.late.remove(topic)
        self.anew.add(topic)
        for kept in (self._told, self._again):
            for place in [place for place in kept if place[0] == topic]:
                del kept[place]
        self._say(topic)

    def _say(self, topic: str) -> None:
        log.warning(
            "a topic of items was last read to its end too long ago, or at an unknown time, so records of removed "
            "items may be gone from it: it is read anew, and what it does not hold any more is removed",
            topic=topic,
            limit_seconds=round(self._limits[topic]),
        )

    def at_end(self) -> dict[TopicPartition, float]:
        """Return when each partition was last at its end, all learned; of a topic that is read anew, before that."""
        return dict(self._at_end)
