"""`replay`: historical tables into Kafka, items first, then interactions in the order of their time."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from kafka import KafkaAdminClient, KafkaProducer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from consumers.datasets.checking import Check, Refused
from consumers.datasets.problems import BadRow
from consumers.datasets.record import Sent
from consumers.datasets.scan import SHOW_BAD, Scan
from consumers.events.record import Kind
from consumers.kafka_client.producer import BATCH_BYTES, MAX_REQUEST_BYTES, make_producer
from consumers.kafka_client.topics import create_topics, message_limits
from consumers.replay.delivery import DeliveryError, Outsized, SendCounts, TopicOf, default_topic, send
from consumers.replay.time_sort import in_time_order
from consumers.terminal import log

_BATCH_OVERHEAD = 200  # bytes of a batch and a record beside key and value


class ReplayReport(SendCounts):
    """`SendCounts`, and the rows that gave no record: the first of them in `bad`."""

    bad_rows: int = 0
    skipped_rows: int = 0
    """Rows of other domains than the one asked for."""
    sorted_files: list[str] = msgspec.field(default_factory=list)
    """Files that were not in time order and were sorted first."""
    cut_files: list[str] = msgspec.field(default_factory=list)
    """Files that were not read to their end."""
    bad: list[BadRow] = msgspec.field(default_factory=list)
    refused: list[BadRow] = msgspec.field(default_factory=list)
    """Rows that the broker did not take for their size."""


def replay(
    scans: Sequence[Scan],
    check: Check,
    client: Mapping[str, Any],
    topic_of: TopicOf = default_topic,
    rate: float | None = None,
    create: bool = False,
    partitions: int = 4,
    console: Console | None = None,
) -> ReplayReport:
    """Sends every good row of the files that were scanned, items first, then interactions by their time.

    Raises kafka.errors.KafkaError when no broker answers; DeliveryError when a topic is missing (and `create` is
    False) or a record is refused. A record that is too large for its topic is a bad row.
    """
    report = report_of(scans)

    def on_refused(row: BadRow) -> None:
        report.bad_rows += 1
        report.refused.append(row)

    tables = [found.table for found in scans]
    console = console or log.console(stderr=True)
    with bar_of_files(console) as bar:
        task = bar.add_task("replay", total=sum(t.size for t in tables), sent=0)

        def show(counts: SendCounts | None = None) -> None:
            bar.update(task, completed=sum(t.position for t in tables))
            if counts is not None:
                bar.update(task, sent=counts.sent + counts.items)

        items, events, report.sorted_files = in_time_order(scans, show)
        good: Iterable[Sent] = itertools.chain(items, events)
        if any(found.refused for found in scans):
            good = _good(good, check)
        topics = {topic_of(found.kind, name) for found in scans for name in found.domains}
        counts = _deliver(good, topics, client, topic_of, rate, show, create, partitions, on_refused)
    for field in counts.__struct_fields__:
        setattr(report, field, getattr(counts, field))
    return report


def report_of(scans: Sequence[Scan]) -> ReplayReport:
    """What the scans say, before anything is sent."""
    return ReplayReport(
        bad_rows=sum(found.bad_rows for found in scans),
        skipped_rows=sum(found.skipped.total() for found in scans),
        cut_files=[str(found.table.path) for found in scans if found.cut is not None],
        bad=[row for found in scans for row in found.bad][:SHOW_BAD],
    )


def _good(records: Iterable[Sent], check: Check) -> Iterator[Sent]:
    """Without what would become a dead letter; the scan has named it."""
    return (sent for sent in records if not isinstance(check(sent), Refused))


def _deliver(
    records: Iterable[Sent],
    topics: Iterable[str],
    client: Mapping[str, Any],
    topic_of: TopicOf,
    rate: float | None,
    show: Callable[[SendCounts], object],
    create: bool,
    partitions: int,
    on_refused: Callable[[BadRow], object],
) -> SendCounts:
    def prepare(topic: str, kind: Kind) -> None:
        if create:
            create_topics(client, [(topic, kind)], partitions)
        elif topic not in there:
            raise DeliveryError(f"topic {topic} does not exist; create it first, or let replay create it")

    with KafkaAdminClient(**client) as admin:
        there = set(admin.list_topics())
        limits = message_limits(admin, there.intersection(topics))
    # A batch that is too large is refused whole: batches stay below what every topic takes.
    batch = max(1, min([BATCH_BYTES, *(limit - _BATCH_OVERHEAD for limit in limits.values())]))
    with contextlib.ExitStack() as opened:

        @functools.cache
        def plain_producer() -> KafkaProducer:
            options = {"max_request_size": MAX_REQUEST_BYTES, "enable_idempotence": False}
            made = make_producer(client, live=True, **options)
            opened.callback(made.close, timeout=2)
            return made

        producer = make_producer(client, live=rate is not None, batch_size=batch)
        outsized = Outsized(batch - _BATCH_OVERHEAD, plain_producer, on_refused)
        try:
            counts = send(records, producer, topic_of, rate, show, prepare, outsized)
        except BaseException:
            producer.close(timeout=2)  # by default it would wait for a dead broker
            raise
        producer.close()
    return counts


def bar_of_files(console: Console) -> Progress:
    """A progress bar over the bytes of files; tasks have a field `sent`. Nothing where there is no terminal."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[sent]:,} sent", markup=False),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
