"""Run the first three stages: read records, decode them, collect micro-batches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import structlog

from consumers.config.schema import Settings
from consumers.dead_letters.sink import Limits, Sink, dead_letter
from consumers.events.decode import Decoder
from consumers.events.record import Record
from consumers.events.rejection import Rejection
from consumers.formats.registry import SchemaUnavailable
from consumers.service.canary import Canary, canary
from consumers.service.stages.microbatch import Batch, Batcher, Entry
from consumers.sharing.reroute import Reroute, Rerouted
from consumers.source.protocol import Source, Unavailable
from serving.metrics import Metrics

log = structlog.get_logger()

AT_ONCE_SECONDS = 0.005
"""If a poll takes no longer than this, its records were there before it."""
UNCOUNTED = (Canary, Rerouted)
"""What is neither a valid nor an invalid record of the domains."""
PAUSE_SECONDS = 0.05
LEAST_BACKOFF, MOST_BACKOFF = 0.1, 5.0
"""Seconds between two tries to read from a log that is unavailable."""
MOST_SCHEMA_BACKOFF = 1.0
"""Seconds between two tries of a schema registry. The pause is short because records wait in memory."""


class IntakeParts(NamedTuple):
    """What the intake works with. limits: stops the service at too many invalid records. blocked: returns whether
    reading must pause, because memory would only grow, or nothing can be saved. publish_in: returns the seconds until
    there may be something to publish. reroute: looks at partitions if there are several shards.
    """

    source: Source
    sink: Sink
    decoder: Decoder
    limits: Limits
    metrics: Metrics
    blocked: Callable[[], bool]
    publish_in: Callable[[], float]
    reroute: Reroute | None = None


class IntakeStage:
    """Reads, decodes and batches records; sends what is invalid to the dead letters."""

    def __init__(self, settings: Settings, parts: IntakeParts, clock: Callable[[], float]) -> None:
        """clock: seconds."""
        self.parts = parts
        self.batcher = Batcher(settings.intake.batch_events, settings.intake.batch_ms / 1000, clock)
        self._full_batch = settings.intake.batch_events
        self._canary_topic = settings.kafka.canary_topic
        self._backoff = self._schema_backoff = 0.0
        self._clock = clock
        self._polled_at = self._came_at = clock()
        """When the log was asked last, and when the records of that answer may have come."""
        self._held: list[Record] = []
        """Records that wait for a schema, in order."""
        self.problem: str | None = None
        """Why records wait for a schema; None while none does. Any thread may read it."""

    def take_in(self) -> None:
        """Poll and decode. Raises Stop past the limit of invalid records.

        Records whose schema is not available now wait here, with those after them: their order is kept, and nothing
        more is read. Schemas that are known need no registry.
        """
        records = self._held or self._poll()
        self._held = []
        for n, record in enumerate(records):
            try:
                entry = self._decode(record)
            except SchemaUnavailable as error:
                self._hold(records[n:], error)
                return
            self.batcher.add(record, entry, self._came_at)
            if not isinstance(entry, UNCOUNTED):
                self.parts.limits.count(record, isinstance(entry, Rejection))
        if records:
            self.problem, self._schema_backoff = None, 0.0

    def _hold(self, records: list[Record], error: SchemaUnavailable) -> None:
        self._held = records
        self.problem = f"{error}; {records[0].topic} waits"
        self._schema_backoff = min(max(LEAST_BACKOFF, 2 * self._schema_backoff), MOST_SCHEMA_BACKOFF)
        log.warning("schema unavailable, will ask again", error=str(error), topic=records[0].topic)
        time.sleep(self._schema_backoff)

    def records(self) -> list[Record]:
        """Return the records that were polled and are in no batch yet, in order."""
        return [*self.batcher.records(), *self._held]

    def _poll(self) -> list[Record]:
        """Return the records that the log has now; none while a full batch waits, or while reading is blocked."""
        if len(self.batcher) >= self._full_batch:
            return []
        if self.parts.blocked():
            time.sleep(PAUSE_SECONDS)
            return []
        try:
            with self.parts.metrics.stage_seconds.labels("poll").time():
                begun, wait = self._clock(), self._wait()
                records = self.parts.source.poll(wait)
            self._backoff = 0.0
            now = self._clock()
            self._came_at = self._polled_at if wait == 0 or now - begun < AT_ONCE_SECONDS else now
            self._polled_at = now
        except Unavailable as error:
            self._backoff = min(max(LEAST_BACKOFF, 2 * self._backoff), MOST_BACKOFF)
            log.warning("log unavailable, will poll again", error=str(error), seconds=self._backoff)
            time.sleep(self._backoff)
            return []
        return records

    def _wait(self) -> float:
        """Return how long, in seconds, to wait for a record: until a batch or a round of publishing may be due."""
        longest = self.parts.publish_in()
        return min(self.batcher.wait(), longest) if len(self.batcher) else longest

    def _decode(self, record: Record) -> Entry:
        """Return what the batch that is being collected gets. Raises SchemaUnavailable or Stop."""
        if record.topic == self._canary_topic:
            return canary(record)
        first: Record | Rerouted = record if self.parts.reroute is None else self.parts.reroute.look(record)
        if isinstance(first, Rerouted):
            return first
        decoded = self.parts.decoder.decode(first)
        if isinstance(decoded, Rejection):
            self.parts.sink.send(dead_letter(first, decoded.reason, decoded.detail))
        return decoded

    def batch(self) -> Batch | None:
        """Return the next micro-batch; None while none is due."""
        return self.batcher.take()
