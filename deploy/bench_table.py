"""Rewrite README's table of speed from a report of `crosscurrent bench`: `python -m deploy.bench_table JSON`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from consumers.bench.run.command import Report
from consumers.bench.run.figure import Figure
from consumers.bench.run.table import number
from deploy.markdown import replaced

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- speed: python -m deploy.bench_table -->", "<!-- end of speed -->"


def block(report: Report) -> str:
    """Return the table, with machine, versions and date before it."""
    place, versions = report.machine, report.versions
    names = ("python", "numpy", "numba", "torch", "river", "kafka-python", "redis server")
    where = f"{place['cpu']}, {place['cores']} cores, {place['memory_gb']:g} GB{_busy(place)}"
    when = f"{report.date}{', --quick' if report.quick else ''}"
    lines = [
        BEGIN,
        f"{where}; {when}; broker: {report.broker}; {', '.join(f'{name} {versions[name]}' for name in names)}:",
        "",
        "| what | figure | |",
        "|---|---|---|",
        *map(_line, report.rows),
        *(f"| {failed.row} | failed | {failed.contestant} |" for failed in report.failed),
        END,
    ]
    return "\n".join(lines)


def _busy(place: dict[str, Any]) -> str:
    """Name other work beside the run, where there was some."""
    load = place["load_before"]
    if load <= 0.5 * place["cores"]:
        return ""
    reliable = "only events/s a core and cost of an event hold on a free machine"
    return f", with other work beside it (load {load:g}): {reliable}"


def _line(figure: Figure) -> str:
    note = figure.note.partition(":")[0] if figure.row == "memory" else figure.note
    notes = "; ".join(part for part in (figure.set if figure.set != "generated" else "", note) if part)
    return f"| {figure.name.strip()} | {number(figure.value)} {figure.unit} | {notes} |"


def rewritten(text: str, report: Report) -> str:
    """Return the text with the block between the marks replaced. Raises ValueError if the marks are not there once."""
    return replaced(text, BEGIN, END, block(report))


def main() -> None:
    """Read the report that is named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m deploy.bench_table JSON")
    report = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Report)
    README.write_text(rewritten(README.read_text(encoding="utf-8"), report), encoding="utf-8")


if __name__ == "__main__":
    main()
