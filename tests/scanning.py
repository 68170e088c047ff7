"""Files as `replay` has them before it sends: opened and scanned; and what it would send."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from consumers.config import Settings
from consumers.datasets.checking import Check, Refused
from consumers.datasets.opening import open_tables
from consumers.datasets.options import ReadOptions
from consumers.datasets.scan import Scan, scan
from consumers.rows import Sent
from consumers.time_order import in_time_order


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
