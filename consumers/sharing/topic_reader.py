"""Read a topic of one partition: first to its end, then on in a thread."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError

from consumers.config.schema import KafkaConfig
from consumers.errors import Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.problems.diagnostics import why_unreachable
from serving.worker import Worker

log = structlog.get_logger()

POLL_SECONDS = 0.25
"""How long a reader, and the broker for it, waits for records. Apache Kafka answers as soon as one comes, so a shorter
time would only cost CPU: a tenth of a second takes 2.4 % of a core for each reader, this one .9 %."""
MOST_RECORDS = 500
"""Records that were read and not taken yet, above which the reader waits."""
RETRY_SECONDS = 0.5
START_SECONDS = 60.0
"""The longest time without progress while the topic is read to its end at the start."""

Records = list[tuple[int, bytes]]
"""Records, each with the offset after it."""


class TopicReader:
    """Reads records in their order. One thread calls it; its own reads ahead."""

    def __init__(self, config: KafkaConfig, topic: str, gone: Callable[[int, int, int], int]) -> None:
        """gone: called with the wanted offset and the topic's begin and end if the topic lacks the wanted one. It
        returns the offset to go on from, or raises Stop.
        """
        self._config, self._topic, self._gone = config, topic, gone
        self._tp = KafkaPartition(topic, 0)
        self._came: deque[tuple[int, bytes]] = deque()
        self._read = self._taken = self._end = 0
        self._failure: Stop | None = None
        self._closing = False
        self._consumer: Any = None
        self._thread: Worker | None = None

    def start(self, offset: int, catch_up: bool = True) -> Iterator[Records]:
        """Connect, and begin at this offset; return what there is now, in parts, and then read on in a thread.

        catch_up: false to read on at once, and return nothing. Raises Stop.
        """
        try:
            self._open(offset)
        except KafkaError as error:
            raise Stop(why_unreachable(self._config, error)) from error
        return self._catch_up() if catch_up else self._go_on()

    def _open(self, offset: int) -> None:
        self._consumer = KafkaConsumer(
            **client_options(self._config),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            isolation_level="read_uncommitted",
            max_partition_fetch_bytes=8 * 1024 * 1024,
            fetch_max_wait_ms=int(POLL_SECONDS * 1000),
            metrics_enabled=False,
        )
        if self._consumer.partitions_for_topic(self._topic) != {0}:
            raise Stop(
                f"topic {self._topic} must exist and have one partition. Create it: crosscurrent check "
                "--create-topics"
            )
        self._consumer.assign([self._tp])
        begin, self._end = self._extent()
        if begin > offset or self._end < offset:
            offset = self._gone(offset, begin, self._end)
        self._consumer.seek(self._tp, offset)
        self._taken = self._read = offset

    def _extent(self) -> tuple[int, int]:
        """Return the first offset that the topic holds, and the next one that it will get."""
        ends = self._consumer.beginning_offsets([self._tp]), self._consumer.end_offsets([self._tp])
        return ends[0][self._tp], ends[1][self._tp]

    def _catch_up(self) -> Iterator[Records]:
        """Yield what there was when it was opened; then read on."""
        position, since = -1, time.monotonic()
        try:
            while (now := self._consumer.position(self._tp)) < self._end:
                if now != position:
                    position, since = now, time.monotonic()
                elif time.monotonic() - since > START_SECONDS:
                    raise Stop(f"topic {self._topic} cannot be read: nothing came for {START_SECONDS:.0f} s")
                yield self._polled(POLL_SECONDS)
            self._read = self._taken = now
        except KafkaError as error:
            raise Stop(why_unreachable(self._config, error)) from error
        self._go_on()

    def _go_on(self) -> Iterator[Records]:
        """Read on in a thread."""
        self._thread = Worker(f"{self._topic}-in", self._run)
        self._thread.start()
        return iter(())

    def _polled(self, seconds: float) -> Records:
        polled = self._consumer.poll(timeout_ms=int(seconds * 1000))
        return [
            (m.offset + 1, m.value) for records in polled.values() for m in records if m.value is not None
        ]

    def poll(self) -> Records:
        """Return the records that have come since, without waiting."""
        found: Records = []
        while self._came and len(found) < MOST_RECORDS:
            found.append(self._came.popleft())
        if found:
            self._taken = found[-1][0]
        return found

    def behind(self) -> int:
        """Return the number of offsets that were read and not handed out yet."""
        return max(0, self._read - self._taken) if self._came else 0

    def check(self) -> None:
        """Raise Stop once nothing can be read any more."""
        if self._failure is not None:
            raise self._failure
        if self._thread is not None:
            self._thread.check()

    def close(self) -> None:
        self._closing = True
        if self._thread is not None:
            self._thread.join(3.0)
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=500)

    def _run(self) -> None:
        while not self._closing:
            if len(self._came) >= MOST_RECORDS:
                time.sleep(POLL_SECONDS)
                continue
            try:
                for next_offset, value in self._polled(POLL_SECONDS):
                    self._read = next_offset
                    self._came.append((next_offset, value))
            except OffsetOutOfRangeError:
                if not self._begin_anew():
                    return
            except KafkaError as error:
                log.warning(
                    "topic cannot be read, will try again", topic=self._topic, error=type(error).__name__
                )
                time.sleep(RETRY_SECONDS)

    def _begin_anew(self) -> bool:
        """Go on where there are records, if that is allowed. Return whether it is."""
        try:
            self._consumer.seek(self._tp, self._gone(self._read, *self._extent()))
        except Stop as stop:
            self._failure = stop
            return False
        return True
