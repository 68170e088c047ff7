"""Print the report for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from consumers.bench.run.command import Report
from consumers.terminal.plain_text import plain

FINE = 100.0
"""Smaller figures get digits after the point."""


def number(value: float | None) -> str:
    """Return a figure with about three significant digits; a dash if nothing was observed."""
    if value is None:
        return "–"
    if abs(value) >= FINE:
        return f"{value:,.0f}"
    return f"{value:.2g}" if abs(value) < 0.1 else f"{value:.3g}"


def show(report: Report, console: Console) -> None:
    """Print machine, versions, figures, and what failed."""
    place = report.machine
    console.print(
        f"{place['cpu']}, {place['cores']} cores, {place['memory_gb']:g} GB, load {place['load_before']:g} before; "
        f"{report.date}{', quick' if report.quick else ''}, {report.seconds:,.0f} s"
    )
    console.print(", ".join(f"{name} {text}" for name, text in report.versions.items()))
    console.print(f"broker: {report.broker}")
    table = Table("row", "set", box=None, pad_edge=False)
    table.add_column("figure", justify="right", no_wrap=True)
    table.add_column("unit")
    table.add_column("note")
    for figure in report.rows:
        table.add_row(figure.name, figure.set, plain(number(figure.value), "bold"), figure.unit, figure.note)
    console.print(table)
    for failed in report.failed:
        console.print(plain(f"{failed.row}: failed. {failed.why}", "red"), soft_wrap=True)
