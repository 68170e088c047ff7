"""The reference pages are made from the code, and say something of every key."""

from __future__ import annotations

import pytest

from deploy.reference import FOLDER, config_page, pages


@pytest.mark.parametrize("name", pages())
def test_the_page_is_current(name: str) -> None:
    """Run `python -m deploy.reference` after a change to config, metrics or commands."""
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name]


def test_every_key_has_a_meaning() -> None:
    rows = [line for line in config_page().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    assert [row for row in rows if row.endswith("|  |")] == []
