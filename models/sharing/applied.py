"""Remember which events a copy of the shared tables has learned: for each place of the log, the next offset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.sharing.shared_facts import Place, SharedFacts


class Applied:
    """The next offset of each topic and partition that the tables have not learned.

    An event from that offset on is new and moves it; any other was learned before. So it does not matter how often a
    fact is read, or that an event is learned here first and read as a fact later.

    >>> applied = Applied()
    >>> applied.claim(Place("clicks", 0, 7)), applied.claim(Place("clicks", 0, 7)), applied.claim(Place("clicks", 0, 8))
    (True, False, True)
    """

    def __init__(self) -> None:
        self.next: dict[tuple[str, int], int] = {}

    def knows(self, place: Place) -> bool:
        """Return whether the event of this place was learned."""
        return place.offset < self.next.get((place.topic, place.partition), 0)

    def claim(self, place: Place) -> bool:
        """Note that the event of this place is learned now. Return whether it was new."""
        if self.knows(place):
            return False
        self.next[place.topic, place.partition] = place.offset + 1
        return True

    def claim_to(self, topic: str, partition: int, following: int) -> None:
        """Note that all events of a topic's partition before this offset are learned."""
        self.next[topic, partition] = max(following, self.next.get((topic, partition), 0))

    def claim_new(self, facts: SharedFacts) -> SharedFacts:
        """Note that these events are learned now, and return those that were new."""
        new = np.zeros(facts.size, np.bool_)
        for n, (topic, partition) in enumerate(facts.sources):
            here = facts.source == n
            last = self.next.get((topic, partition), 0) - 1
            highest = np.maximum.accumulate(np.append(last, facts.offset[here].astype(np.int64)))
            new[here] = highest[1:] > highest[:-1]
            if highest[-1] > last:
                self.claim_to(topic, partition, int(highest[-1]) + 1)
        return facts if new.all() else facts.take(np.flatnonzero(new))

    def state(self) -> list[list[Any]]:
        """Return what `load` takes."""
        return [[*source, offset] for source, offset in sorted(self.next.items())]

    def load(self, state: Sequence[Sequence[Any]]) -> None:
        """Take up a state."""
        self.next = {(topic, int(partition)): int(offset) for topic, partition, offset in state}
