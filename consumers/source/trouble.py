"""Keep the topics and partitions that cannot be read now, and say in words why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from consumers.config.schema import KafkaConfig
from consumers.events.record import TopicPartition
from consumers.source.watch.topic_watch import no_right

SILENT_SECONDS = 4.0
"""Seconds without an answer after which a partition counts as silent."""
RETRY_SECONDS = 2.0
"""Seconds after which a refused topic is asked for again."""
LOOK_SECONDS = 1.0
log = structlog.get_logger()


class Trouble:
    """What cannot be read. clock: seconds."""

    def __init__(self, config: KafkaConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config, self._clock = config, clock
        self.unavailable = ""
        """Why nothing can be read at all; see `lose`."""
        self._lost_at: float | None = None
        self._denied: dict[str, float] = {}
        """Topics that may not be read, and when to ask again."""
        self.missing: frozenset[str] = frozenset()
        """Topics that do not exist any more."""
        self._silent: dict[TopicPartition, float] = {}
        """Seconds for which each partition has not answered."""
        self.looked = clock()
        """When `look` was last called."""
        self._asked: Mapping[TopicPartition, str] = {}
        """The broker that has not answered, by partition."""

    def lose(self, why: str) -> str:
        """Note that nothing can be read at all, and return why."""
        if self._lost_at is None:
            self._lost_at = self._clock()
        self.unavailable = why
        return why

    def seconds(self) -> float:
        """Return for how long a broker that was asked has not answered; 0 if all have."""
        lost = 0.0 if self._lost_at is None else self._clock() - self._lost_at
        return max(lost, *self._silent.values(), 0.0)

    def deny(self, topics: set[str]) -> None:
        """Note that these topics may not be read."""
        for topic in topics - self._denied.keys():
            log.error("may not read a topic any more; the others go on", topic=topic)
        self._denied |= dict.fromkeys(topics, self._clock() + RETRY_SECONDS)

    def answered(self, topics: Iterable[str]) -> None:
        """Note that brokers have let these be read."""
        self.unavailable, self._lost_at = "", None
        for topic in topics:
            self._denied.pop(topic, None)

    def miss(self, topics: set[str]) -> None:
        """Note that exactly these topics are gone."""
        for topic in topics - self.missing:
            log.error("a topic is gone; the others go on", topic=topic)
        self.missing = frozenset(topics)

    def wait(self) -> frozenset[str]:
        """Return the topics that should not be asked for now."""
        now = self._clock()
        return frozenset(topic for topic, until in self._denied.items() if now < until)

    def look_due(self) -> bool:
        return self._clock() - self.looked >= LOOK_SECONDS

    def look(self, unanswered: Callable[[float], Mapping[TopicPartition, str]]) -> None:
        """Count for how long each partition was silent. Call it about once a second while the log is polled.

        unanswered: the partitions that were asked and have not answered since a time, with their brokers.
        """
        now, since = self._clock(), self.looked
        passed = min(now - since, 2 * LOOK_SECONDS)  # no broker was asked while nothing polled
        away = self.missing | self._denied.keys()
        self._asked = unanswered(since)
        self._silent = {p: self._silent.get(p, 0.0) + passed for p in self._asked if p[0] not in away}
        self.looked = now

    def silent(self) -> set[TopicPartition]:
        return {place for place, seconds in self._silent.items() if seconds >= SILENT_SECONDS}

    def problem(self) -> str | None:
        """Return what cannot be read and what to do, causes before effects; None if everything can be read."""
        if self.unavailable:
            return self.unavailable
        if self._denied:
            return no_right(self._config, self._denied)
        if self.missing:
            names = ", ".join(sorted(self.missing))
            return f"missing topics: {names}. They were deleted; their events cannot come"
        return self._silence()

    def _silence(self) -> str | None:
        silent = sorted(self.silent())
        if not silent:
            return None
        named = ", ".join(f"{topic}:{number}" for topic, number in silent[:3])
        more = f" and {len(silent) - 3} more" if len(silent) > 3 else ""
        brokers = ", ".join(sorted({self._asked[place] for place in silent}))
        return f"Kafka has not answered for {max(self._silent.values()):.0f} s for {named}{more} ({brokers})"
