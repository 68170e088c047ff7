"""Say how the files are understood before anything is sent or learned, and ask whether to go on."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from consumers.datasets.checking import Check
from consumers.datasets.fields.cells import as_number, is_blank, kind_of
from consumers.datasets.problems import BadRowError
from consumers.datasets.scan import Scan
from consumers.terminal.plain_text import plain

_NUMBER = re.compile(r"[\d.eE+]+")
_ZONE = re.compile(r":\d\d.*(Z|UTC|GMT|[+-]\d\d(:?\d\d)?)\b", re.IGNORECASE)
_WARNING = "yellow"
_SHOWN_BYTES = 400


def show_understanding(scans: Sequence[Scan], check: Check, console: Console) -> None:
    """Print, for each file: field ← column, what is not used, the first rows as sent, and what is left out."""
    for found in scans:
        table = found.table
        console.print(plain(f"{table.path}: {found.kind} ({table.description})", "bold"), soft_wrap=True)
        console.print(_fields(found))
        for line in _content(found):
            console.print(plain(f"  {line}"), soft_wrap=True)
        console.print(plain("  the first as sent:"))
        for sent in found.first:
            value = (sent.value or b"").decode()
            shown = value if len(value) <= _SHOWN_BYTES else value[:_SHOWN_BYTES] + " …"
            console.print(plain(f"    {sent.domain}, line {sent.line}: {shown}"), soft_wrap=True)
        for line in _left_out(found, check):
            console.print(plain(f"  {line}", _WARNING), soft_wrap=True)
    for line in strangers(scans):
        console.print(plain(line, _WARNING), soft_wrap=True)


def confirm(question: str, yes: bool) -> bool:
    """Ask on a terminal, unless `yes`. Without a terminal the answer is yes."""
    terminal = sys.stdin is not None and sys.stdin.isatty()
    return yes or not terminal or click.confirm(question, default=False, err=True)


def strangers(scans: Sequence[Scan]) -> Iterator[str]:
    """Return a warning if most events are of items that the item files lack: ids may be written in two ways."""
    catalogue = dict.fromkeys(name for found in scans if found.kind == "items" for name in found.item_ids)
    events = [found for found in scans if found.kind == "interactions"]
    total = sum(found.item_ids.total() for found in events)
    lacking = sum(n for found in events for name, n in found.item_ids.items() if name not in catalogue)
    if catalogue and lacking > total / 2:
        one = next(name for found in events for name in found.item_ids if name not in catalogue)
        yield (
            f"{lacking:,} of {total:,} events are of items that the item file lacks, such as {one!r}; it has "
            f"{next(iter(catalogue))!r}. Are the ids written in the same way?"
        )


def _fields(found: Scan) -> Grid:
    table = found.table
    grid = Grid("  field", "← column", "type", "such as", box=None, pad_edge=False)
    for field, column in table.columns.items():
        values = table.sample.get(column, [])
        example = next((v for v in values if not is_blank(v)), "")
        grid.add_row(
            f"  {field}", Text("← ").append_text(plain(column)), _type(values), plain(str(example)[:40])
        )
    return grid


def _content(found: Scan) -> Iterator[str]:
    table = found.table
    if table.unused:
        yield f"not used: {', '.join(table.unused)}"
    yield from table.notes
    for name, d in found.domains.items():
        parts = []
        if d.ratings:
            parts.append(f"{d.ratings:,} ratings")
            if not d.outside:
                parts[-1] += f" from {d.lowest:g} to {d.highest:g}"
        if d.clicks:
            parts.append(f"{d.clicks:,} clicks")
        if d.items:
            parts.append(f"{d.items:,} items")
        if parts:
            yield f"domain {name}: {', '.join(parts)}"
    if found.types:
        yield "types: " + ", ".join(f"{name} ({n:,})" for name, n in found.types.most_common(20))
    if found.earliest is not None and found.latest is not None:
        zone = "" if _zoned(found) else " (times without a zone are taken as UTC)"
        yield f"from {_when(found.earliest)} to {_when(found.latest)}{zone}"


def _left_out(found: Scan, check: Check) -> Iterator[str]:
    if found.cut is not None:
        yield f"NOT READ TO ITS END: {found.cut}. The rows before that are used; repair the file to get the rest"
    for name, d in found.domains.items():
        if d.outside:
            low, high = check.range_of(name)
            yield (
                f"domain {name}: {d.outside:,} of {d.ratings + d.outside:,} ratings are outside of {low:g} to {high:g} "
                f"(they go from {d.lowest:g} to {d.highest:g}) and left out: set rating_range in [domains.{name}], or "
                "--as-clicks if these are no ratings"
            )
    for row in found.bad:
        yield str(row)
    if found.bad_rows > len(found.bad):
        yield f"… and {found.bad_rows - len(found.bad):,} more bad rows"
    if found.bad_rows:
        by_field = ", ".join(f"{reason} {n:,}" for reason, n in found.reasons.most_common(5))
        yield f"{found.bad_rows:,} bad row{'s' * (found.bad_rows > 1)} left out: {by_field}"
    if found.left_out:
        yield f"{found.left_out:,} rows left out by --type"
    if found.skipped:
        names = ", ".join(f"{name} ({n:,})" for name, n in found.skipped.most_common(10))
        yield f"{found.skipped.total():,} rows of other domains left out: {names}"


def _type(values: Sequence[Any]) -> str:
    """Name the type of a column, judged by its first rows."""
    kinds = {_kind(v) for v in values if not is_blank(v)}
    if kinds == {"whole numbers", "numbers"}:
        return "numbers"
    return " and ".join(sorted(kinds)) or "nothing"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "booleans"
    if isinstance(value, datetime | date):
        return "times"
    text = str(value).strip()
    if isinstance(value, dict | list | tuple | bytes):
        return kind_of(value).partition(" ")[2] + "s" if isinstance(value, dict | list | tuple) else "binary"
    if text.lstrip("+-").isdecimal():
        return "whole numbers"
    try:
        as_number(text, "")
    except BadRowError:
        return "text"
    return "numbers"


def _zoned(found: Scan) -> bool:
    """Return whether times are numbers, or texts that name their zone."""
    for value in found.table.sample.get(found.table.columns.get("timestamp", ""), ()):
        if isinstance(value, datetime):
            return value.tzinfo is not None
        if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
            return bool(_ZONE.search(value))
    return True


def _when(millis: int) -> str:
    return f"{datetime.fromtimestamp(millis / 1000, UTC):%Y-%m-%d %H:%M:%SZ}"
