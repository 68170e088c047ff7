"""Replay files: say how they are understood, send them, say what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from kafka.errors import KafkaError
from rich.console import Console

from consumers.config.schema import Settings
from consumers.datasets.checking import Check
from consumers.datasets.opening import open_tables
from consumers.datasets.options import ReadOptions
from consumers.datasets.scan import SHOW_BAD, Scan, scan
from consumers.datasets.understanding import confirm, show_understanding
from consumers.errors import BUG, Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.problems.diagnostics import why_unreachable
from consumers.replay.options import ReplayOptions
from consumers.replay.to_kafka import KafkaDestination, ReplayReport, bar_of_files, replay, report_of
from consumers.terminal import log
from consumers.terminal.plain_text import plain
from consumers.terminal.progress import BYTES


def run_replay(options: ReplayOptions, config: Settings) -> tuple[int, dict[str, Any]]:
    """Print how the files are understood, then send them. Return (exit code, figures). Raises Stop.

    The code is 1 if a file was not read to its end, or if the answer was no.
    """
    console = log.console(stderr=not options.dry_run)
    check = Check(config, options.reading.rating_range)
    scans = _scan_all(options, check, console)
    for found in scans:
        for name in found.domains:
            config.topic_of(found.kind, name)  # an unknown domain ends the command before anything is sent
            _check_range(config.domains[name].rating_range, name, options.reading)
    show_understanding(scans, check, console)
    for line in _of_event_ids(scans, config):
        console.print(plain(line), soft_wrap=True)
    code = BUG if any(found.cut is not None for found in scans) else 0
    if options.dry_run:
        console.print("nothing was sent (--dry-run)")
        return code, msgspec.to_builtins(report_of(scans))
    if not confirm(f"Send {sum(found.good for found in scans):,} records?", options.yes):
        console.print("nothing was sent")
        return BUG, msgspec.to_builtins(report_of(scans))
    destination = KafkaDestination(
        client_options(config.kafka), config.topic_of, options.rate, options.create_topics, options.partitions,
        remembered=config.intake.dedup_events * config.shards.count,
    )  # fmt: skip
    try:
        report = replay(scans, check, destination, console)
    except KafkaError as error:
        raise Stop(why_unreachable(config.kafka, error)) from error
    _show(report, console)
    figures: dict[str, Any] = msgspec.to_builtins(report)
    return code, figures


def _scan_all(options: ReplayOptions, check: Check, console: Console) -> list[Scan]:
    tables = open_tables(options.files, options.domain, options.reading)
    with bar_of_files(console) as bar:
        task = bar.add_task("reading", total=sum(t.size for t in tables), sent=0, unit=BYTES)

        def progress() -> None:
            bar.update(task, completed=sum(t.position for t in tables))

        scans = [scan(table, check, progress=progress) for table in tables]
        bar.remove_task(task)
    return scans


def _of_event_ids(scans: list[Scan], config: Settings) -> Iterator[str]:
    """Yield a line for people about events that have no event_id of their own: what becomes of them if sent again."""
    without = [x for x in scans if x.kind == "interactions" and "event_id" not in x.table.columns]
    latest = config.intake.dedup_events
    if without and latest and any("timestamp" in x.table.columns for x in without):
        yield (
            "rows without an event_id get one made of their content: sent again, a row is ignored while it is among "
            f"the latest {latest:,} events (intake.dedup_events), and counted in crosscurrent_duplicates_total"
        )
    if latest and any("timestamp" not in x.table.columns for x in without):
        yield "rows without event_id and time get no event_id: sent again, they are learned again"


def _show(report: ReplayReport, console: Console) -> None:
    for row in report.refused[:SHOW_BAD]:
        console.print(plain(str(row), "yellow"), soft_wrap=True)
    console.print(
        f"sent {report.sent:,} interactions and {report.items:,} items in {report.seconds:.1f} s "
        f"({report.events_per_second:,.0f} records/s); {report.bad_rows:,} bad rows left out, "
        f"{report.skipped_rows:,} rows of other domains"
    )
    for name in report.cut_files:
        console.print(plain(f"{name} was not read to its end", "yellow"), soft_wrap=True)


def _check_range(configured: tuple[float, float], domain: str, options: ReadOptions) -> None:
    """Raise Stop for a range wider than the config's: `run` would make dead letters of the values in between."""
    low, high = options.rating_range or configured
    if low < configured[0] or high > configured[1]:
        raise Stop(
            f"--rating-range {low:g}:{high:g} is wider than rating_range of domain {domain} ({configured[0]:g} to "
            f"{configured[1]:g}), beyond which `run` takes none: set rating_range in [domains.{domain}]"
        )
