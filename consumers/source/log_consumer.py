"""The consumer that reads the log: its partitions, which of them are fetched, and whether their brokers answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from consumers.config.schema import KafkaConfig
from consumers.errors import Stop
from consumers.events.record import Offsets, Record, TopicPartition, record_of
from consumers.kafka_client.client import client_options
from consumers.kafka_client.errors import denied_topics
from consumers.kafka_client.problems.diagnostics import why_unreachable
from consumers.source.fetch_answers import FetchAnswers
from consumers.source.watch.topic_watch import no_right

CHUNK_RECORDS = 2_000
"""Most records of one poll of the consumer. After each, partitions that hold enough are paused."""
MIN_FETCH_BYTES, MAX_FETCH_BYTES = 64 * 1024, 256 * 1024
"""Bytes of one fetch of a partition. With many partitions it is small, but a record batch should still fit."""

CONNECT_AGAIN_MS = 2_000
"""Longest time for which the loop waits for a new connection, in ms."""
BUSY_WAIT_MS, REST_WAIT_MS = 20, 250
"""How long a broker may wait for records before it answers a fetch. With records it answers at once. Each
broker gets one fetch at a time, so a quiet partition's fetch delays a busy one's. At rest the wait saves work.
"""
REST_SECONDS = 1.0
OLD_SECONDS, NEWER_SECONDS = 0.005, 0.002
"""If the last poll is longer ago than the first, it pays to wait as long as the second for newer records."""


class LogConsumer:
    """Reads partitions that are assigned by hand. It has no group: `Commits` publishes offsets.

    Every method may raise KafkaError.
    """

    def __init__(
        self,
        config: KafkaConfig,
        fetched_bytes: int,
        partitions: int,
        client: Callable[..., Any] = KafkaConsumer,
    ) -> None:
        """Connect. client: makes the consumer.

        fetched_bytes: memory for bytes that were fetched and not unpacked yet.
        """
        self._client = client
        self._config, self._fetched_bytes, self._partitions = config, fetched_bytes, partitions
        self._tps: dict[TopicPartition, Any] = {}
        self._fetched: set[TopicPartition] = set()
        """The partitions that are not paused."""
        self._connect()

    def _connect(self, **options: Any) -> None:
        each = self._fetched_bytes // max(1, self._partitions)  # each partition has at most one fetch
        self.consumer: Any = self._client(
            **client_options(self._config) | options,
            group_id=None,
            max_poll_records=CHUNK_RECORDS,
            max_partition_fetch_bytes=min(MAX_FETCH_BYTES, max(MIN_FETCH_BYTES, each)),
            fetch_max_bytes=self._fetched_bytes,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=BUSY_WAIT_MS,
            reconnect_backoff_max_ms=1000,
            metrics_enabled=False,
        )
        self._answers = FetchAnswers(self.consumer)
        self._came = self._polled = time.monotonic()
        self._old = False

    def connect_again(self, positions: Offsets) -> None:
        """Go on at `positions` with a new consumer; other partitions go on at their end.

        A consumer keeps the password that it began with. Without an answer the old one stays.
        """
        old = self.consumer
        self._connect(bootstrap_timeout_ms=CONNECT_AGAIN_MS)
        old.close(autocommit=False, timeout_ms=500)
        self.assign(self._tps)
        self.seek(positions)
        self.seek_to_end(set(self._tps) - set(positions))

    def assign(self, places: Iterable[TopicPartition]) -> None:
        """Read these partitions and no others. Partitions that were read before keep their position."""
        self._tps = {place: KafkaPartition(*place) for place in places}
        self.consumer.assign(list(self._tps.values()))
        self._fetched = {place for place, tp in self._tps.items() if tp not in self.consumer.paused()}

    def extent(self) -> tuple[Offsets, Offsets]:
        """Return the oldest and the next offset of every partition, for a start. Raises Stop."""
        try:
            return self.begins(), self.ends()
        except TopicAuthorizationFailedError as error:
            raise Stop(no_right(self._config, denied_topics(error))) from error
        except KafkaError as error:
            raise Stop(why_unreachable(self._config, error)) from error

    def begins(self) -> Offsets:
        return self._offsets(self.consumer.beginning_offsets)

    def ends(self) -> Offsets:
        return self._offsets(self.consumer.end_offsets)

    def _offsets(self, ask: Any) -> Offsets:
        return {(tp.topic, tp.partition): offset for tp, offset in ask(list(self._tps.values())).items()}

    def seek(self, positions: Offsets) -> None:
        for place, offset in positions.items():
            self.consumer.seek(self._tps[place], offset)

    def seek_to_beginning(self, places: Iterable[TopicPartition]) -> None:
        if tps := [self._tps[place] for place in places]:
            self.consumer.seek_to_beginning(*tps)

    def seek_to_end(self, places: Iterable[TopicPartition]) -> None:
        if tps := [self._tps[place] for place in places]:
            self.consumer.seek_to_end(*tps)

    def fetch_only(self, places: set[TopicPartition]) -> None:
        """Fetch from these partitions, and pause the others."""
        if places == self._fetched:
            return
        self.consumer.resume(*(self._tps[place] for place in places - self._fetched))
        self.consumer.pause(*(self._tps[place] for place in self._fetched - places))
        self._fetched = set(places)

    def poll(self, timeout: float) -> dict[TopicPartition, list[Record]]:
        """Return at most CHUNK_RECORDS records; none after `timeout` seconds."""
        self._answers.take_up_parked()
        self._old = time.monotonic() - self._polled > OLD_SECONDS
        polled = self.consumer.poll(timeout_ms=int(timeout * 1000))
        self._polled = now = time.monotonic()
        if polled:
            self._came = now
        self._answers.may_wait(REST_WAIT_MS if now - self._came > REST_SECONDS else BUSY_WAIT_MS)
        return {(tp.topic, tp.partition): [*map(record_of, messages)] for tp, messages in polled.items()}

    def newer_in(self) -> float:
        """Return how long, in seconds, to wait for records that are newer than those of the last poll; 0 for none.

        Brokers send records right after a poll. If the next one comes late, newer records have been written meanwhile.
        """
        return NEWER_SECONDS if self._old else 0.0

    def position(self, place: TopicPartition) -> int:
        """Return the next offset to fetch."""
        return int(self.consumer.position(self._tps[place], timeout_ms=0) or 0)

    def take_ends(self) -> Offsets:
        """Return the first offset that cannot be read yet, for partitions that reported it since the last call."""
        told = self._answers.take_ends()
        return {place: end for tp, end in told.items() if (place := (tp.topic, tp.partition)) in self._tps}

    def unanswered(self, since: float) -> dict[TopicPartition, str]:
        """Return the fetched partitions whose broker has not answered since a (monotonic) time, with that broker.

        A broker that throttles is not silent.
        """
        answers = self._answers
        silent = self._fetched - self._heard(since, answers.answered, answers.throttled)
        return {place: answers.name(answers.leader(self._tps[place])) for place in silent}

    def _heard(self, since: float, *told: dict[int, float]) -> set[TopicPartition]:
        heard = {node for times in told for node, at in times.copy().items() if at >= since}
        return {place for place in self._fetched if self._answers.leader(self._tps[place]) in heard}

    def ask_for_leaders(self) -> None:
        """Ask which broker leads each partition now: a silent one may have lost them. Do not wait for the answer."""
        self._answers.ask_for_leaders()

    def answering(self, since: float) -> set[TopicPartition]:
        """Return the fetched partitions whose broker has answered since a (monotonic) time.

        An answer leaves out partitions without news.
        """
        failing = self._answers.failing
        return {p for p in self._heard(since, self._answers.answered) if self._tps[p] not in failing}

    def close(self, seconds: float = 2.0) -> None:
        self.consumer.close(autocommit=False, timeout_ms=int(seconds * 1000))
