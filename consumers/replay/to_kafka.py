"""Send the tables of `replay` to Kafka: items first, then interactions in the order of their time."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

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
from consumers.replay.delivery import (
    DeliveryError,
    Hooks,
    Outsized,
    SendCounts,
    TopicOf,
    default_topic,
    send,
)
from consumers.replay.event_ids import with_event_ids
from consumers.replay.time_sort import in_time_order
from consumers.terminal import log, progress

_BATCH_OVERHEAD = 200  # bytes that a batch and a record add to key and value


class ReplayReport(SendCounts):
    """`SendCounts`, and the rows that gave no record; `bad` holds the first of them."""

    bad_rows: int = 0
    skipped_rows: int = 0
    """Rows of domains that were not asked for."""
    sorted_files: list[str] = msgspec.field(default_factory=list)
    """Files that were not in time order and were sorted first."""
    cut_files: list[str] = msgspec.field(default_factory=list)
    """Files that were not read to their end."""
    bad: list[BadRow] = msgspec.field(default_factory=list)
    refused: list[BadRow] = msgspec.field(default_factory=list)
    """Rows that the broker refused for their size."""


class KafkaDestination(NamedTuple):
    """Where records go, how fast, and whether missing topics are created."""

    client: Mapping[str, Any]
    """`bootstrap_servers` and what else kafka-python needs to connect."""
    topic_of: TopicOf = default_topic
    rate: float | None = None
    """Interactions a second; None: as fast as the broker takes them."""
    create: bool = False
    partitions: int = 4
    """Partitions of interaction topics that are created."""
    admin: Callable[..., Any] = KafkaAdminClient
    """Makes an admin client, from the options of kafka-python."""
    producer: Callable[..., Any] = make_producer
    remembered: int = 0
    """How many of the latest event_ids `run` knows. Then events without an event_id get one; see `event_ids`."""


def replay(
    scans: Sequence[Scan], check: Check, to: KafkaDestination, console: Console | None = None
) -> ReplayReport:
    """Send every good row of the files that were scanned, items first, then interactions by their time.

    Raises kafka.errors.KafkaError when no broker answers. Raises DeliveryError when a topic is missing (and
    `to.create` is False) or a record is refused. A record that is too large for its topic is a bad row.
    """
    report = report_of(scans)

    def on_refused(row: BadRow) -> None:
        report.bad_rows += 1
        report.refused.append(row)

    tables = [found.table for found in scans]
    console = console or log.console(stderr=True)
    with bar_of_files(console) as bar:
        task = bar.add_task("replay", total=sum(t.size for t in tables), sent=0)

        # The files may have been read to their end before the first record is sent: they are sorted.
        sending = bar.add_task(
            "sending", total=sum(found.good for found in scans), unit="records", sent=0, visible=False
        )

        def on_sent(counts: SendCounts | None = None) -> None:
            bar.update(task, completed=sum(t.position for t in tables))
            if counts is not None:
                bar.update(task, sent=counts.sent + counts.items)
                bar.update(sending, completed=counts.sent + counts.items)

        items, events, report.sorted_files = in_time_order(scans, on_sent)
        if any(found.refused for found in scans):
            items, events = _good(items, check), _good(events, check)
        if to.remembered:
            events = with_event_ids(events, to.remembered)
        good = itertools.chain(items, events)
        topics = {to.topic_of(found.kind, name) for found in scans for name in found.domains}
        counts = _deliver(good, topics, to, on_sent, on_refused)
    for field in counts.__struct_fields__:
        setattr(report, field, getattr(counts, field))
    return report


def report_of(scans: Sequence[Scan]) -> ReplayReport:
    """Return the report of what the scans found, before anything is sent."""
    return ReplayReport(
        bad_rows=sum(found.bad_rows for found in scans),
        skipped_rows=sum(found.skipped.total() for found in scans),
        cut_files=[str(found.table.path) for found in scans if found.cut is not None],
        bad=[row for found in scans for row in found.bad][:SHOW_BAD],
    )


def _good(records: Iterable[Sent], check: Check) -> Iterator[Sent]:
    """Leave out what would become a dead letter; the scan has named it."""
    return (sent for sent in records if not isinstance(check(sent), Refused))


def _deliver(
    records: Iterable[Sent],
    topics: Iterable[str],
    to: KafkaDestination,
    on_sent: Callable[[SendCounts], object],
    on_refused: Callable[[BadRow], object],
) -> SendCounts:
    client = to.client

    def prepare(topic: str, kind: Kind) -> None:
        if to.create:
            create_topics(client, [(topic, kind)], to.partitions)
        elif topic not in there:
            raise DeliveryError(f"topic {topic} does not exist; create it first, or let replay create it")

    with to.admin(**client) as admin:
        there = set(admin.list_topics())
        limits = message_limits(admin, there.intersection(topics))
    # A broker refuses a batch as a whole, so batches stay below what every topic takes.
    batch = max(1, min([BATCH_BYTES, *(limit - _BATCH_OVERHEAD for limit in limits.values())]))
    with contextlib.ExitStack() as opened:

        @functools.cache
        def plain_producer() -> KafkaProducer:
            options = {"max_request_size": MAX_REQUEST_BYTES, "enable_idempotence": False}
            made = to.producer(client, live=True, **options)
            opened.callback(made.close, timeout=2)
            return made

        producer = to.producer(client, live=to.rate is not None, batch_size=batch)
        outsized = Outsized(batch - _BATCH_OVERHEAD, plain_producer, on_refused)
        try:
            counts = send(records, producer, to.topic_of, to.rate, Hooks(on_sent, prepare), outsized)
        except BaseException:
            producer.close(timeout=2)  # without a timeout it waits for a dead broker
            raise
        producer.close()
    return counts


def bar_of_files(console: Console) -> Progress:
    """Return a progress bar over bytes of files, whose tasks have a field `sent`; lines without a terminal."""
    return progress.bars(
        console,
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[sent]:,} sent", markup=False),
        TimeRemainingColumn(),
        transient=False,
    )
