"""Show what is in the dead-letter topic, as tables and as figures, for `dead-letters list` and `show`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from consumers.dead_letters.resend import Wanted
from consumers.dead_letters.topic_reader import Letter, LetterLog
from consumers.events.rejection import MEANINGS
from consumers.terminal.plain_text import harmless, plain

HEX_WIDTH = 16


class Group(msgspec.Struct):
    """Letters of one topic, partition and reason. Times are those of the source records, ms since the epoch."""

    topic: str
    partition: str
    reason: str
    count: int = 0
    replayed: int = 0
    first_ms: int = 0
    last_ms: int = 0


class ReasonTotal(msgspec.Struct):
    """All letters of one reason. Times are those of the source records, ms since the epoch."""

    reason: str
    count: int
    replayed: int
    last_ms: int


class LetterLine(msgspec.Struct):
    """One letter."""

    id: str
    source: str
    reason: str
    detail: str
    source_ms: int
    bytes: int
    replayed: bool
    truncated: bool


class Overview(msgspec.Struct):
    """Totals by reason, most first; all groups; the latest letters, the newest last."""

    reasons: list[ReasonTotal]
    groups: list[Group]
    latest: list[LetterLine]


def overview(log: LetterLog, wanted: Wanted, limit: int) -> Overview:
    """Read the topic twice, marks first. Return the groups and the latest `limit` letters. Raises Stop."""
    done = log.replayed()
    groups: dict[tuple[str, str, str], Group] = {}
    latest: dict[int, deque[Letter]] = {}
    for letter in filter(wanted, log.letters()):
        latest.setdefault(letter.id[0], deque(maxlen=limit)).append(letter)
        at = (letter.topic, letter.headers.get("partition", ""), letter.reason)
        group = groups.setdefault(at, Group(*at, first_ms=letter.source_ms, last_ms=letter.source_ms))
        group.count += 1
        group.replayed += letter.source in done
        group.first_ms = min(group.first_ms, letter.source_ms)
        group.last_ms = max(group.last_ms, letter.source_ms)
    newest = sorted((x for those in latest.values() for x in those), key=lambda x: (x.timestamp, x.id))
    lines = [
        LetterLine(
            letter.name,
            ":".join(letter.source[:3]),
            letter.reason,
            letter.headers.get("detail", ""),
            letter.source_ms,
            len(letter.value or b""),
            letter.source in done,
            "truncated" in letter.headers,
        )
        for letter in newest[max(0, len(newest) - limit) :]
    ]
    return Overview(_totals(groups.values()), [groups[at] for at in sorted(groups)], lines)


def _totals(groups: Iterable[Group]) -> list[ReasonTotal]:
    totals: dict[str, ReasonTotal] = {}
    for group in groups:
        total = totals.setdefault(group.reason, ReasonTotal(group.reason, 0, 0, group.last_ms))
        total.count += group.count
        total.replayed += group.replayed
        total.last_ms = max(total.last_ms, group.last_ms)
    return sorted(totals.values(), key=lambda total: (-total.count, total.reason))


def print_overview(found: Overview, console: Console) -> None:
    if not found.groups:
        console.print("no dead letters")
        return
    totals = Table("reason", "count", "replayed", "last", "meaning", box=None)
    for t in found.reasons:
        meaning = MEANINGS.get(t.reason, "")  # type: ignore[call-overload]
        totals.add_row(*map(plain, (t.reason, f"{t.count:,}", f"{t.replayed:,}", _when(t.last_ms), meaning)))
    console.print(totals)
    console.print()
    table = Table("topic", "partition", "reason", "count", "replayed", "first", "last", box=None)
    for g in found.groups:
        row = (g.partition, g.reason, f"{g.count:,}", f"{g.replayed:,}", _when(g.first_ms), _when(g.last_ms))
        table.add_row(*map(plain, (g.topic, *row)))
    console.print(table)
    if found.latest:
        console.print()
        lines = Table("id", "from", "reason", "time", "bytes", "", "detail", box=None)
        for x in found.latest:
            note = "replayed" if x.replayed else "truncated" if x.truncated else ""
            cells = (x.id, x.source, x.reason, _when(x.source_ms), f"{x.bytes:,}", note, x.detail)
            lines.add_row(*map(plain, cells))
        console.print(lines)


def shown(letter: Letter) -> dict[str, Any]:
    """Return a letter as plain values: UTF-8 as text, other bytes as hexadecimal digits."""
    return (
        {"id": letter.name, "headers": letter.headers}
        | _plain("key", letter.key)
        | _plain("value", letter.value)
    )


def _plain(name: str, data: bytes | None) -> dict[str, str | None]:
    if data is None:
        return {name: None}
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_hex": data.hex()}


def readable(data: bytes | None) -> str:
    """Return text without control characters (a terminal would obey them), a hex dump, or `null`."""
    if data is None:
        return "null"
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return hex_dump(data)
    return harmless(text)


def hex_dump(data: bytes) -> str:
    """Write lines of offset, 16 bytes in hexadecimal, and the bytes as text if they are printable ASCII."""
    lines = []
    for at in range(0, len(data), HEX_WIDTH):
        part = data[at : at + HEX_WIDTH]
        text = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
        lines.append(f"{at:08x}  {part.hex(' '):<{3 * HEX_WIDTH - 1}}  {text}")
    return "\n".join(lines)


def _when(millis: int) -> str:
    try:
        return datetime.fromtimestamp(millis / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(millis)
