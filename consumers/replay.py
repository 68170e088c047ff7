"""`replay`: historical tables into Kafka, items first, then interactions in the order of their time.

`send` is the way of any stream of records into Kafka; the simulator uses it too.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError, TopicAlreadyExistsError
from kafka.partitioner.default import murmur2
from kafka.producer.future import FutureRecordMetadata
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from consumers import log
from consumers.errors import Stop
from consumers.rows import Kind, Sent
from consumers.tables import BadRow, Table
from consumers.time_order import in_time_order

TopicOf = Callable[[Kind, str], str]
"""The topic for a kind of record and a domain."""

IN_FLIGHT = 50_000
"""Records sent and not yet acknowledged; the producer has no limit of its own, a slow broker would fill memory."""

_DELIVERY_SECONDS = 60.0


class DeliveryError(Stop):
    """The broker did not take a record; the message says which and why."""


class SendCounts(msgspec.Struct):
    """What was acknowledged. `sent` counts interactions, `items` item records."""

    sent: int = 0
    items: int = 0
    seconds: float = 0.0
    events_per_second: float = 0.0


class ReplayReport(SendCounts):
    """`SendCounts`, and the rows that gave no record: the first of them in `bad`."""

    bad_rows: int = 0
    skipped_rows: int = 0
    """Rows of other domains than the one asked for."""
    sorted_files: list[str] = []
    """Files that were not in time order and were sorted first."""
    bad: list[BadRow] = []


def default_topic(kind: Kind, domain: str) -> str:
    return f"{kind}.{domain}"


def make_producer(client: Mapping[str, Any], live: bool = False, **options: Any) -> KafkaProducer:
    """An idempotent producer. `client`: bootstrap_servers, security and so on; `options` go to KafkaProducer.

    `live` sends within 5 ms; otherwise records wait up to 200 ms for company, which is twice as fast at full speed.
    Raises kafka.errors.KafkaError when no broker answers.
    """
    defaults: dict[str, Any] = {
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": "lz4",
        "linger_ms": 5 if live else 200,
        "batch_size": 900_000,  # just below the size of record batches that brokers take by default
        "request_timeout_ms": 15_000,
        "delivery_timeout_ms": int(_DELIVERY_SECONDS * 1000),
        "bootstrap_timeout_ms": 6000,
        "max_block_ms": 10_000,  # how long a missing topic holds up its first record
        "allow_auto_create_topics": False,  # its partition count would be the broker's, not ours
        "metrics_enabled": False,
    }
    return KafkaProducer(**(defaults | dict(client) | options))


def create_topics(
    client: Mapping[str, Any], topics: Iterable[tuple[str, Kind]], partitions: int = 4
) -> list[str]:
    """Creates the topics that are missing and returns their names; item topics are compacted, with one partition.

    The replication factor is the broker's default. Raises kafka.errors.KafkaError.
    """
    with KafkaAdminClient(**client) as admin:
        there = set(admin.list_topics())
        missing = {
            name: {
                "num_partitions": partitions if kind == "interactions" else 1,
                "replication_factor": -1,
                "configs": {} if kind == "interactions" else {"cleanup.policy": "compact"},
            }
            for name, kind in topics
            if name not in there
        }
        if missing:
            with contextlib.suppress(TopicAlreadyExistsError):  # another process was faster
                admin.create_topics(missing, wait_for_metadata=True)
        return list(missing)


def send(
    records: Iterable[Sent],
    producer: KafkaProducer,
    topic_of: TopicOf = default_topic,
    rate: float | None = None,
    on_sent: Callable[[SendCounts], object] = lambda _: None,
    prepare: Callable[[str, Kind], object] = lambda _topic, _kind: None,
) -> SendCounts:
    """Sends `records` and returns when the broker has acknowledged all of them.

    `rate`: interactions a second (None: as fast as the broker takes them; items never wait). Called back are
    `prepare(topic, kind)` before a topic's first record and `on_sent` now and then. Raises DeliveryError.
    """
    counts = SendCounts()
    topics: dict[tuple[Kind, str], tuple[str, int]] = {}
    waiting: deque[FutureRecordMetadata] = deque()
    started = time.monotonic()
    paced_from: float | None = None
    try:
        for record in records:
            at = (record.kind, record.domain)
            if at not in topics:
                topic = topic_of(*at)
                prepare(topic, record.kind)
                topics[at] = topic, len(producer.partitions_for(topic))
            topic, partitions = topics[at]
            partition = partition_of(record.key, partitions)
            waiting.append(producer.send(topic, record.value, record.key, partition=partition))
            if record.kind == "items":
                counts.items += 1
            else:
                counts.sent += 1
                if rate:
                    paced_from = time.monotonic() if paced_from is None else paced_from
                    if (ahead := paced_from + counts.sent / rate - time.monotonic()) > 0.001:
                        time.sleep(ahead)
                    on_sent(counts)
            if not (counts.sent + counts.items) % 1000:
                _settle(waiting, IN_FLIGHT)
                on_sent(counts)
        producer.flush(timeout=_DELIVERY_SECONDS)
        _settle(waiting, 0)
    except KafkaError as error:
        raise DeliveryError(f"the broker did not take a record: {error}") from error
    counts.seconds = time.monotonic() - started
    counts.events_per_second = (counts.sent + counts.items) / max(counts.seconds, 1e-9)
    on_sent(counts)
    return counts


@functools.lru_cache(maxsize=100_000)
def partition_of(key: bytes, partitions: int) -> int:
    """The default partitioner's choice. Remembered, because its hash in Python is a sixth of the cost of sending."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def _settle(waiting: deque[FutureRecordMetadata], allowed: int) -> None:
    """Raises the error of a failed record, and waits until no more than `allowed` are unacknowledged."""
    while waiting and (len(waiting) > allowed or waiting[0].is_done):
        waiting.popleft().get(timeout=_DELIVERY_SECONDS)


def replay(
    files: Sequence[Path],
    client: Mapping[str, Any],
    domain: str | None = None,
    columns: Mapping[str, str] | None = None,
    topic_of: TopicOf = default_topic,
    rate: float | None = None,
    create: bool = False,
    partitions: int = 4,
    show_bad: int = 20,
    console: Console | None = None,
) -> ReplayReport:
    """Sends every readable row of `files` to Kafka; `show_bad` is how many bad rows the report names.

    Raises TableError before anything is sent for a file that is missing, unknown, or without one readable row;
    kafka.errors.KafkaError when no broker answers; DeliveryError when a topic is missing (and `create` is False)
    or a record is refused.
    """
    report = ReplayReport()

    def on_bad(row: BadRow) -> None:
        report.bad_rows += 1
        if len(report.bad) < show_bad:
            report.bad.append(row)

    tables = [Table(path, domain, columns) for path in files]
    console = console or log.console(stderr=True)
    with _bar(console) as bar:
        task = bar.add_task("replay", total=sum(t.size for t in tables), sent=0)

        def show(counts: SendCounts | None = None) -> None:
            bar.update(task, completed=sum(t.position for t in tables))
            if counts is not None:
                bar.update(task, sent=counts.sent + counts.items)

        items, events, report.sorted_files = in_time_order(tables, on_bad, show)
        counts = _deliver(itertools.chain(items, events), client, topic_of, rate, show, create, partitions)
    for field in counts.__struct_fields__:
        setattr(report, field, getattr(counts, field))
    report.skipped_rows = sum(t.skipped.total() for t in tables)
    return report


def _deliver(
    records: Iterable[Sent],
    client: Mapping[str, Any],
    topic_of: TopicOf,
    rate: float | None,
    show: Callable[[SendCounts], object],
    create: bool,
    partitions: int,
) -> SendCounts:
    def prepare(topic: str, kind: Kind) -> None:
        if create:
            create_topics(client, [(topic, kind)], partitions)
        elif topic not in there:
            raise DeliveryError(f"topic {topic} does not exist; create it first, or let replay create it")

    with KafkaAdminClient(**client) as admin:
        there = set(admin.list_topics())
    producer = make_producer(client, live=rate is not None)
    try:
        counts = send(records, producer, topic_of, rate, show, prepare)
    except BaseException:
        producer.close(timeout=2)  # by default it would wait for a dead broker
        raise
    producer.close()
    return counts


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[sent]:,} sent"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
