"""Share facts through a topic of Kafka: its producer fences an earlier process of the same shard."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import structlog
from kafka import KafkaAdminClient
from kafka.errors import (
    IncompatibleBrokerVersion,
    InvalidProducerEpochError,
    KafkaError,
    ProducerFencedError,
    UnsupportedVersionError,
)

from consumers.config.schema import KafkaConfig
from consumers.config.shards import ShardsConfig
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.net_client import TransactionClient
from consumers.kafka_client.problems.diagnostics import why_unreachable
from consumers.kafka_client.producer import MAX_REQUEST_BYTES, make_producer
from consumers.sharing.topic_reader import Records, TopicReader
from serving.worker import Worker

log = structlog.get_logger()

FENCED = (ProducerFencedError, InvalidProducerEpochError)
WAIT_SECONDS = 86_400.0
"""How long facts wait for a broker that is away."""
TRANSACTION_SECONDS = 900.0
"""The longest transaction that brokers allow by default. After it the broker treats this process as replaced."""
RETRY_SECONDS = 0.5


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


def fenced(error: Exception) -> bool:
    """Return whether a producer's error says that a later process has its transactional id.

    After the first error the producer raises a plain KafkaError, whose message names the first one.
    """
    return isinstance(error, FENCED) or any(kind.__name__ in str(error) for kind in FENCED)


def holder(config: KafkaConfig, name: str) -> tuple[int, int]:
    """Return the id and the epoch of the producer that has a transactional id, as its coordinator knows it.

    Raises KafkaError.
    """
    with KafkaAdminClient(**client_options(config)) as admin:
        found = admin.describe_transactions([name])[name]
    return found.producer_id, found.producer_epoch


class FactsTopic:
    """A `FactsLog` in Kafka. Two threads: one sends, one reads.

    Only the fence of Kafka's transactions is used. Facts are read uncommitted, since a fact of an aborted transaction
    is still true. A new producer would fence a later process. So a broken one is replaced only while the broker knows
    of no other.
    """

    def __init__(
        self,
        config: KafkaConfig,
        shards: ShardsConfig,
        network: bool = False,
    ) -> None:
        """network: this process trains the network. It reads facts, and sends weights to the topic of the model."""
        self._config, self._topic = config, shards.facts_topic
        self._target = shards.model_topic if network else shards.facts_topic
        self._network = network
        self._name = f"{config.group_id}.network" if network else shard_name(config, shards.own())
        self._who = "the network" if network else f"shard {self._name}"
        self._producer: Any = None
        self._reader = TopicReader(config, self._topic, self._gone)
        self._changed = threading.Condition()
        self._waiting: deque[tuple[bytes | None, bytes]] = deque()
        self._sent = self._acknowledged = 0
        self._since = 0.0
        self._failure: str | None = None
        self._closing = False
        self._thread: Worker | None = None

    def start(self, offset: int) -> Iterator[Records]:
        try:
            self._producer = facts_producer(self._config, self._name)
            # First the fence: what an earlier process still had on its way is then in the log, or never will be.
            self._producer.init_transactions()
        except KafkaError as error:
            raise Stop(why_unreachable(self._config, error)) from error
        # What the network has not learned may be days of facts, and it teaches nobody's own events.
        return self._caught_up(self._reader.start(offset, catch_up=not self._network))

    def _caught_up(self, parts: Iterator[Records]) -> Iterator[Records]:
        """Yield what there is, then begin to send in a thread."""
        yield from parts
        self._thread = Worker("facts-out", self._run)
        self._thread.start()

    def _gone(self, offset: int, begin: int, end: int) -> int:
        if self._network:
            log.warning(
                "facts are gone that the network has not learned", topic=self._topic, first=offset, now=begin
            )
            return begin
        if end < offset:
            raise Stop(
                f"topic {self._topic} ends at {end}, before what this shard has read of it ({offset}): it was made "
                "anew or cut. Start all shards from empty checkpoint directories, or restore the topic.",
                STATE_UNUSABLE,
            )
        raise Stop(
            f"topic {self._topic} no longer holds the facts from {offset} to {begin - 1}, which this shard has not "
            "read: it was off for longer than the topic keeps records. Stop another shard, and let `crosscurrent "
            "rescale` make this one from its newer copy; keep facts for longer (retention.ms) than a shard may be off.",
            STATE_UNUSABLE,
        )

    # The loop's thread

    def poll(self) -> Records:
        return self._reader.poll()

    def send(self, record: bytes, key: bytes | None = None) -> None:
        with self._changed:
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting.append((key, record))
            self._sent += 1
            self._changed.notify_all()

    @property
    def sent(self) -> int:
        return self._sent

    def behind(self) -> int:
        return self._reader.behind()

    def check(self) -> None:
        if self._failure is not None:
            raise Stop(self._failure, STATE_UNUSABLE)
        self._reader.check()
        if self._thread is not None:
            self._thread.check()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(3.0)
        self._reader.close()
        if self._producer is not None:
            self._producer.close(timeout=1)

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
            except (KafkaError, OSError, ValueError) as error:
                if fenced(error):
                    self._fail(
                        f"another process runs as {self._who}, and began later than this one, which therefore stops "
                        "and saves nothing more. Give each process an index of its own (shards.index). If there is no "
                        "other, the brokers were away for long: start this one again."
                    )
                    return
                log.warning(
                    "facts not acknowledged, will send them again", error=f"{type(error).__name__}: {error}"
                )
                if not self._abort():
                    return

    def _chunk(self) -> list[tuple[bytes | None, bytes]]:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._waiting)
            return [] if self._closing else list(self._waiting)

    def _deliver(self, chunk: list[tuple[bytes | None, bytes]]) -> None:
        self._producer.begin_transaction()
        futures = [
            self._producer.send(self._target, key=key, value=record, partition=0) for key, record in chunk
        ]
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
        except KafkaError as error:
            return self._replaced() if fenced(error) else self._begin_anew()
        return self._pause()

    def _replaced(self) -> bool:
        """Stop for a later process of this name. Return False: do not go on."""
        self._fail(f"another process runs as {self._who}; this one stops and saves nothing more.")
        return False

    def _pause(self) -> bool:
        """Wait a moment. Return whether to go on."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._closing, RETRY_SECONDS)

    def _begin_anew(self) -> bool:
        """Replace a producer that can do nothing more, as after some deaths of brokers. Return whether to go on."""
        of = self._producer._transaction_manager.producer_id_and_epoch
        while self._pause():
            try:
                if holder(self._config, self._name) != (of.producer_id, of.epoch):
                    return self._replaced()
                self._producer.close(timeout=1)
                self._producer = facts_producer(self._config, self._name)
                self._producer.init_transactions()
            except (IncompatibleBrokerVersion, UnsupportedVersionError) as error:
                self._fail(
                    f"nothing can be sent any more, and the broker cannot tell ({type(error).__name__}) whether "
                    f"another process runs as {self._who}. If there is none, start this one again: it goes on from its "
                    "newest checkpoint."
                )
                return False
            except (KafkaError, OSError, ValueError) as error:
                log.warning("no new producer of facts yet", error=f"{type(error).__name__}: {error}")
            else:
                log.info("a new producer sends the facts")
                return True
        return False

    def _fail(self, why: str) -> None:
        with self._changed:
            self._failure = why
            self._changed.notify_all()
