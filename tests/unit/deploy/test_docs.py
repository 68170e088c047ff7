"""The tables of the documentation are whole: every row has as many cells as its head."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "deploy/docs").rglob("*.md")])


def tables(text: str) -> Iterator[list[str]]:
    """Yield the lines of each table outside of fenced code."""
    table: list[str] = []
    fenced = False
    for line in [*text.splitlines(), ""]:
        fenced ^= line.lstrip().startswith("```")
        if line.startswith("|") and not fenced:
            table.append(line)
        elif table:
            yield table
            table = []


def cells(row: str) -> int:
    return len(re.findall(r"(?<!\\)\|", row.rstrip())) - 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_rows_have_as_many_cells_as_their_head(page: Path) -> None:
    """A stray | would move all that follows it into another column."""
    uneven = [row for table in tables(page.read_text()) for row in table if cells(row) != cells(table[0])]
    assert uneven == []
