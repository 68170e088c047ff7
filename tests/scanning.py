"""Files as `replay` has them before it sends: opened and scanned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from consumers.config import Settings
from consumers.datasets.checking import Check
from consumers.datasets.opening import open_tables
from consumers.datasets.options import ReadOptions
from consumers.datasets.scan import Scan, scan


def scanned(
    files: Sequence[Path], domain: str | None = None, reading: ReadOptions | None = None
) -> tuple[list[Scan], Check]:
    check = Check(Settings())
    return [scan(table, check) for table in open_tables(files, domain, reading or ReadOptions())], check
