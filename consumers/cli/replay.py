"""`crosscurrent replay`: options to a replay; what the files were taken for and what was sent, for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from kafka.errors import KafkaError

from consumers.config.schema import Settings
from consumers.datasets.checking import Check
from consumers.datasets.opening import open_tables
from consumers.datasets.options import ReadOptions
from consumers.datasets.scan import SHOW_BAD, scan
from consumers.datasets.understanding import confirm, show_understanding
from consumers.errors import BUG, Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.diagnostics import unreachable
from consumers.replay.to_kafka import bar_of_files, replay, report_of
from consumers.simulator.presets import topic_namer
from consumers.terminal import log
from consumers.terminal.plain_text import plain


def run_replay(
    files: Sequence[Path],
    config: Settings,
    domain: str | None,
    options: ReadOptions,
    rate: float | None = None,
    create: bool = False,
    partitions: int = 4,
    dry_run: bool = False,
    yes: bool = False,
) -> tuple[int, dict[str, Any]]:
    """(exit code, figures). Prints what the files were taken for, then sends them. Raises Stop.

    The code is 1 where a file was not read to its end, or where the answer was no.
    """
    console = log.console(stderr=not dry_run)
    topic_of = topic_namer(config)
    tables = open_tables(files, domain, options)
    check = Check(config, options.rating_range)
    with bar_of_files(console) as bar:
        task = bar.add_task("reading", total=sum(t.size for t in tables), sent=0)
        scans = [
            scan(table, check, progress=lambda: bar.update(task, completed=sum(t.position for t in tables)))
            for table in tables
        ]
        bar.remove_task(task)
    for found in scans:
        for name in found.domains:
            topic_of(found.kind, name)  # a domain that the config lacks ends it here, before anything is sent
            _check_range(config.domains[name].rating_range, name, options)
    show_understanding(scans, check, console)
    code = BUG if any(found.cut is not None for found in scans) else 0
    if dry_run:
        console.print("nothing was sent (--dry-run)")
        return code, msgspec.to_builtins(report_of(scans))
    if not confirm(f"Send {sum(found.good for found in scans):,} records?", yes):
        console.print("nothing was sent")
        return BUG, msgspec.to_builtins(report_of(scans))
    try:
        report = replay(
            scans, check, client_options(config.kafka), topic_of, rate, create, partitions, console
        )
    except KafkaError as error:
        raise Stop(unreachable(config.kafka, error)) from error
    for row in report.refused[:SHOW_BAD]:
        console.print(plain(str(row), "yellow"), soft_wrap=True)
    console.print(
        f"sent {report.sent:,} interactions and {report.items:,} items in {report.seconds:.1f} s "
        f"({report.events_per_second:,.0f} records/s); {report.bad_rows:,} bad rows left out, "
        f"{report.skipped_rows:,} rows of other domains"
    )
    for name in report.cut_files:
        console.print(plain(f"{name} was not read to its end", "yellow"), soft_wrap=True)
    figures: dict[str, Any] = msgspec.to_builtins(report)
    return code, figures


def _check_range(configured: tuple[float, float], domain: str, options: ReadOptions) -> None:
    """Raises Stop for a range wider than the config's: `run` would make dead letters of what lies between."""
    low, high = options.rating_range or configured
    if low < configured[0] or high > configured[1]:
        raise Stop(
            f"--rating-range {low:g}:{high:g} is wider than rating_range of domain {domain} ({configured[0]:g} to "
            f"{configured[1]:g}), beyond which `run` takes none: set rating_range in [domains.{domain}]"
        )
