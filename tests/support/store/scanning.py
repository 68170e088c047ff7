"""Open and scan files as `replay` does: the records to send, and the bad rows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from consumers.config.schema import Settings
from consumers.datasets.checking import Check, Refused
from consumers.datasets.opening import open_tables
from consumers.datasets.options import ReadOptions
from consumers.datasets.problems import BadRow
from consumers.datasets.record import Sent
from consumers.datasets.scan import Scan, scan
from consumers.datasets.table_file import TableFile
from consumers.replay.time_sort import in_time_order


def scanned(
    files: Sequence[Path],
    domain: str | None = None,
    reading: ReadOptions | None = None,
    settings: Settings | None = None,
) -> tuple[list[Scan], Check]:
    reading = reading or ReadOptions()
    check = Check(settings or Settings(), reading.rating_range)
    return [scan(table, check) for table in open_tables(files, domain, reading)], check


def sent_of(scans: list[Scan], check: Check) -> list[Sent]:
    items, events, _ = in_time_order(scans)
    return [sent for sent in itertools.chain(items, events) if not isinstance(check(sent), Refused)]


def read(
    path: Path, text: str | bytes, domain: str | None = "movies", **options: Any
) -> tuple[list[dict[str, Any]], list[str]]:
    """Scan a file; return the decoded values, and the bad rows as `line: reason`."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    table = TableFile(path, domain, ReadOptions(**options))
    scan(table, Check(Settings(), ranged=False))
    bad: list[BadRow] = []
    got = list(table.records(bad.append))
    assert all(
        r.key.decode() == v[("user_id" if r.kind == "interactions" else "item_id")] for r, v in decoded(got)
    )
    return [v for _, v in decoded(got)], [f"{b.line}: {b.reason}" for b in bad]


def decoded(records: list[Sent]) -> list[tuple[Sent, dict[str, Any]]]:
    return [(r, msgspec.json.decode(r.value or b"")) for r in records]
