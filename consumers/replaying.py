"""`crosscurrent replay`: options to a replay, and its report for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from kafka.errors import KafkaError

from consumers import log
from consumers.config import Settings
from consumers.errors import Stop
from consumers.replay import replay
from consumers.unreachable import unreachable
from consumers.worlds import topic_namer


def run_replay(
    files: tuple[Path, ...],
    config: Settings,
    domain: str | None,
    mapping: tuple[str, ...],
    rate: float | None,
    create: bool,
    partitions: int,
) -> dict[str, Any]:
    """Sends the files and prints what was sent and which rows were bad. Raises Stop."""
    columns = {}
    for pair in mapping:
        field, equals, column = pair.partition("=")
        if not equals:
            raise Stop(f"--map {pair}: write FIELD=COLUMN, such as user_id=buyer")
        columns[field] = column
    console = log.console(stderr=True)
    try:
        report = replay(
            files, config.kafka.client(), domain, columns, topic_namer(config), rate, create, partitions,
            console=console,
        )  # fmt: skip
    except KafkaError as error:
        raise Stop(unreachable(config.kafka, error)) from error
    for row in report.bad:
        console.print(str(row), style="yellow", highlight=False)
    if report.bad_rows > len(report.bad):
        console.print(f"… and {report.bad_rows - len(report.bad)} more bad rows", style="yellow")
    console.print(
        f"sent {report.sent:,} interactions and {report.items:,} items in {report.seconds:.1f} s "
        f"({report.events_per_second:,.0f} records/s); {report.bad_rows:,} bad rows left out, "
        f"{report.skipped_rows:,} rows of other domains"
    )
    figures: dict[str, Any] = msgspec.to_builtins(report)
    return figures
