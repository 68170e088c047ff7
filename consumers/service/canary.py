"""Send canaries: the service's own records, each timed until the store has acknowledged its key.

A canary passes through the stages of an event: log, consumer, micro-batch, publisher. Nothing is learned from it; no
metric of events counts it. Its offsets are not in the checkpoint. Reading begins at the topic's end, because a canary
of an earlier process says nothing about this one.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from consumers.config.schema import KafkaConfig
from consumers.events.record import Record
from consumers.kafka_client.client import client_options
from serving.contract import Write, hash_write
from serving.metrics import Metrics
from serving.worker import Worker

LOST_SECONDS = 60.0
log = structlog.get_logger()


class Canary(msgspec.Struct, frozen=True):
    """The value of a canary record. `sent_ms`: Unix time, ms."""

    process: str
    number: int
    sent_ms: int


def canary(record: Record) -> Canary:
    """Return the record's canary. A record that does not parse becomes a canary that matches no process."""
    try:
        return msgspec.json.decode(record.value or b"", type=Canary)
    except msgspec.DecodeError:
        return Canary("", 0, 0)


class Canaries:
    """Sends canaries from its own thread and follows each one. `close` ends the thread.

    may_send: while False, no canary is sent. key: written for the newest canary that was learned. metrics: get the time
    of each, and the number of those that are not readable `lost_after` seconds after they were sent. connect: makes the
    producer, from the options of kafka-python.
    """

    def __init__(
        self,
        config: KafkaConfig,
        key: str,
        metrics: Metrics,
        may_send: Callable[[], bool],
        lost_after: float = LOST_SECONDS,
        connect: Callable[..., Any] = KafkaProducer,
    ) -> None:
        self._config = config
        self._key = key
        self._metrics = metrics
        self._may_send = may_send
        self._lost_after = lost_after
        self._connect = connect
        self._process = uuid.uuid4().hex
        self._number = 0
        self._lock = threading.Lock()
        self._sent: dict[int, float] = {}
        self._learned: set[int] = set()
        self._due: Canary | None = None
        self._ending = threading.Event()
        self._producer: Any = None
        self._thread = Worker("canaries", self._run, again=config.canary_seconds)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    # The loop's thread

    def learned(self, canary: Canary) -> None:
        """Note that a canary's batch was learned. Canaries of other processes, and lost ones, are ignored."""
        with self._lock:
            if canary.process == self._process and canary.number in self._sent:
                self._learned.add(canary.number)
                self._due = canary

    def writes(self) -> list[Write]:
        """Return the write for the newest canary that was not published, if there is one."""
        due, self._due = self._due, None
        if due is None:
            return []
        return [hash_write(self._key, {"number": due.number, "sent_ts": due.sent_ms})]

    # The publisher's thread

    def written(self, write: Write) -> None:
        """Note that the store has acknowledged `write`: every canary up to its number is readable."""
        if write.key != self._key:
            return
        now = time.monotonic()
        with self._lock:
            readable = [number for number in self._learned if number <= int(write.value["number"])]
            for number in readable:
                self._learned.discard(number)
                self._metrics.canary_seconds.observe(now - self._sent.pop(number))

    # Its own thread

    def _run(self) -> None:
        while not self._ending.is_set():
            self.count_lost()
            try:
                if self._may_send():
                    self._send()
            except TopicAuthorizationFailedError:
                log.warning(
                    "may not write canaries; the service runs without them", topic=self._config.canary_topic
                )
                break
            except (KafkaError, OSError) as error:
                log.warning("canary not sent; the next one will be tried", error=type(error).__name__)
                self._end_producer()  # a new one reads the password's file again
            self._ending.wait(self._config.canary_seconds)
        self._end_producer()

    def _end_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=1)

    def _send(self) -> None:
        """Send a canary. It counts as sent first, so that a canary which the broker refuses becomes a lost one."""
        self._number += 1
        canary = Canary(self._process, self._number, int(time.time() * 1000))
        if self._producer is None:
            self._producer = self._connect(
                **client_options(self._config), enable_idempotence=False, acks=1, retries=0, linger_ms=0,
                delivery_timeout_ms=10_000, request_timeout_ms=5_000, max_block_ms=5_000,
                allow_auto_create_topics=False,
            )  # fmt: skip
        with self._lock:
            self._sent[self._number] = time.monotonic()
        try:
            self._producer.send(
                self._config.canary_topic, key=self._process.encode(), value=msgspec.json.encode(canary)
            ).get(timeout=15)
        except TopicAuthorizationFailedError:
            with self._lock:
                self._sent.clear()
            raise

    def count_lost(self) -> None:
        """Count, once, the canaries that should be readable by now. Its own thread calls this before each one."""
        long_ago = time.monotonic() - self._lost_after
        with self._lock:
            for number in [n for n, sent in self._sent.items() if sent < long_ago]:
                del self._sent[number]
                self._learned.discard(number)
                self._metrics.canary_lost.inc()
