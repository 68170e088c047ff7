"""Share facts through a topic of Kafka: its producer fences an earlier process of the same shard."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import InvalidProducerEpochError, KafkaError, OffsetOutOfRangeError, ProducerFencedError

from consumers.config.schema import KafkaConfig
from consumers.config.shards import ShardsConfig
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.diagnostics import why_unreachable
from consumers.kafka_client.net_client import TransactionClient
from consumers.kafka_client.producer import MAX_REQUEST_BYTES, make_producer
from serving.worker import Worker

log = structlog.get_logger()

FENCED = (ProducerFencedError, InvalidProducerEpochError)
WAIT_SECONDS = 86_400.0
"""How long facts wait for a broker that is away."""
TRANSACTION_SECONDS = 900.0
"""The longest transaction that brokers allow by default. After it the broker treats this process as replaced."""
POLL_SECONDS = 0.1
MOST_RECORDS = 500
"""Records that were read and not taken yet, above which the reader waits."""
RETRY_SECONDS = 0.5
START_SECONDS = 60.0
"""The longest time without progress while the topic is read to its end at the start."""


def shard_name(config: KafkaConfig, index: int) -> str:
    """Return the name of a shard for the broker: of the processes with one name only the latest may write."""
    return f"{config.group_id}.shard-{index}"


def facts_producer(config: KafkaConfig, name: str) -> Any:
    """Make the producer of a shard. From `init_transactions` on, an earlier one of this name can write no more."""
    return make_producer(
        client_options(config),
        live=True,
        kafka_client=TransactionClient,
        transactional_id=name,
        compression_type=None,  # facts are compressed already
        max_request_size=MAX_REQUEST_BYTES,
        delivery_timeout_ms=int(WAIT_SECONDS * 1000),  # it waits for a broker that is away
        request_timeout_ms=10_000,
        transaction_timeout_ms=int(TRANSACTION_SECONDS * 1000),
    )


class FactsTopic:
    """A `FactsLog` in Kafka. Two threads: one sends, one reads.

    Only the fence of Kafka's transactions is used. Facts are read uncommitted, since a fact of an aborted transaction
    is still true. Within a process there is one producer from beginning to end: a new one would fence a later process.
    """

    def __init__(
        self,
        config: KafkaConfig,
        shards: ShardsConfig,
        producer: Callable[[KafkaConfig, str], Any] = facts_producer,
    ) -> None:
        self._config, self._topic = config, shards.facts_topic
        self._name = shard_name(config, shards.own())
        self._make = producer
        self._tp = KafkaPartition(self._topic, 0)
        self._producer: Any = None
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._sent = self._acknowledged = 0
        self._since = 0.0
        self._failure: str | None = None
        self._closing = False
        self._came: deque[tuple[int, bytes]] = deque()
        self._end = self._taken = 0
        self._threads: list[Worker] = []

    def start(self, offset: int) -> Iterator[list[tuple[int, bytes]]]:
        try:
            self._producer = self._make(self._config, self._name)
            # First the fence: what an earlier process still had on its way is then in the log, or never will be.
            self._producer.init_transactions()
            self._consumer = self._reader()
            if self._consumer.partitions_for_topic(self._topic) != {0}:
                raise Stop(
                    f"topic {self._topic} must exist and have one partition. Create it: crosscurrent check "
                    "--create-topics"
                )
            self._consumer.assign([self._tp])
            begin = self._consumer.beginning_offsets([self._tp])[self._tp]
            end = self._consumer.end_offsets([self._tp])[self._tp]
            if begin > offset or end < offset:
                raise self._gone(offset, begin, end)
            self._consumer.seek(self._tp, offset)
            self._taken = self._end = offset
        except KafkaError as error:
            raise Stop(why_unreachable(self._config, error)) from error
        return self._catch_up(end)

    def _catch_up(self, end: int) -> Iterator[list[tuple[int, bytes]]]:
        """Yield what there is up to `end`, then begin to send and to read in threads."""
        try:
            yield from self._read_to(end)
        except KafkaError as error:
            raise Stop(why_unreachable(self._config, error)) from error
        self._threads = [Worker("facts-out", self._run), Worker("facts-in", self._read)]
        for thread in self._threads:
            thread.start()

    def _reader(self) -> Any:
        return KafkaConsumer(
            **client_options(self._config),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            isolation_level="read_uncommitted",
            max_partition_fetch_bytes=8 * 1024 * 1024,
            fetch_max_wait_ms=100,
            metrics_enabled=False,
        )

    def _gone(self, offset: int, begin: int, end: int) -> Stop:
        if end < offset:
            return Stop(
                f"topic {self._topic} ends at {end}, before what this shard has read of it ({offset}): it was made "
                "anew or cut. Start all shards from empty checkpoint directories, or restore the topic.",
                STATE_UNUSABLE,
            )
        return Stop(
            f"topic {self._topic} no longer holds the facts from {offset} to {begin - 1}, which this shard has not "
            "read: it was off for longer than the topic keeps records. Stop another shard, and let `crosscurrent "
            "rescale` make this one from its newer copy; keep facts for longer (retention.ms) than a shard may be off.",
            STATE_UNUSABLE,
        )

    def _read_to(self, end: int) -> Iterator[list[tuple[int, bytes]]]:
        position, since = -1, time.monotonic()
        while (now := self._consumer.position(self._tp)) < end:
            if now != position:
                position, since = now, time.monotonic()
            elif time.monotonic() - since > START_SECONDS:
                raise Stop(f"topic {self._topic} cannot be read: nothing came for {START_SECONDS:.0f} s")
            yield self._polled(POLL_SECONDS)

    def _polled(self, seconds: float) -> list[tuple[int, bytes]]:
        polled = self._consumer.poll(timeout_ms=int(seconds * 1000))
        return [
            (m.offset + 1, m.value) for records in polled.values() for m in records if m.value is not None
        ]

    # The loop's thread

    def poll(self) -> list[tuple[int, bytes]]:
        found = list[tuple[int, bytes]]()
        while self._came and len(found) < MOST_RECORDS:
            found.append(self._came.popleft())
        if found:
            self._taken = found[-1][0]
        return found

    def send(self, record: bytes) -> None:
        with self._changed:
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting.append(record)
            self._sent += 1
            self._changed.notify_all()

    @property
    def sent(self) -> int:
        return self._sent

    def behind(self) -> int:
        return max(0, self._end - self._taken) if self._came else 0

    def check(self) -> None:
        if self._failure is not None:
            raise Stop(self._failure, STATE_UNUSABLE)
        for thread in self._threads:
            thread.check()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(3.0)
        if self._producer is not None:
            self._producer.close(timeout=1)
            self._consumer.close(autocommit=False, timeout_ms=500)

    # Any thread

    def wait(self, count: int, timeout: float | None = None) -> bool:
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or self._over() or self._acknowledged >= count, timeout
            )
            return self._acknowledged >= count

    def _over(self) -> bool:
        return self._failure is not None

    def unacknowledged(self) -> float:
        with self._changed:
            return time.monotonic() - self._since if self._waiting else 0.0

    # Its own threads

    def _run(self) -> None:
        while chunk := self._chunk():
            try:
                self._deliver(chunk)
            except FENCED:
                self._fail(
                    f"another process runs as shard {self._name}, and began later than this one, which therefore stops "
                    "and saves nothing more. Give each process an index of its own (shards.index). If there is no "
                    "other, the brokers were away for long: start this one again."
                )
                return
            except (KafkaError, OSError, ValueError) as error:
                log.warning("facts not acknowledged, will send them again", error=type(error).__name__)
                if not self._abort():
                    return

    def _chunk(self) -> list[bytes]:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._waiting)
            return [] if self._closing else list(self._waiting)

    def _deliver(self, chunk: list[bytes]) -> None:
        self._producer.begin_transaction()
        futures = [self._producer.send(self._topic, value=record, partition=0) for record in chunk]
        self._producer.commit_transaction()
        for future in futures:
            future.get(timeout=0)
        with self._changed:
            for _ in chunk:
                self._waiting.popleft()
            self._acknowledged += len(chunk)
            self._since = time.monotonic()
            self._changed.notify_all()

    def _abort(self) -> bool:
        """End the transaction that failed. Return whether to go on."""
        try:
            self._producer.abort_transaction()
        except FENCED:
            self._fail(f"another process runs as shard {self._name}; this one stops and saves nothing more.")
        except KafkaError as error:
            self._fail(
                f"facts cannot be sent any more ({type(error).__name__}). Start this shard again: it goes on from its "
                "newest checkpoint."
            )
        else:
            with self._changed:
                return not self._changed.wait_for(lambda: self._closing, RETRY_SECONDS)
        return False

    def _fail(self, why: str) -> None:
        with self._changed:
            self._failure = why
            self._changed.notify_all()

    def _read(self) -> None:
        while not self._closing:
            if len(self._came) >= MOST_RECORDS:
                time.sleep(POLL_SECONDS)
                continue
            try:
                for next_offset, value in self._polled(POLL_SECONDS):
                    self._end = next_offset
                    self._came.append((next_offset, value))
            except OffsetOutOfRangeError:
                begin = self._consumer.beginning_offsets([self._tp])[self._tp]
                self._fail(str(self._gone(self._end, begin, max(begin, self._end))))
                return
            except KafkaError as error:
                log.warning("facts cannot be read, will try again", error=type(error).__name__)
                time.sleep(RETRY_SECONDS)
