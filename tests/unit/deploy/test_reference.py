"""The reference pages are made from the code, and describe every key."""

from __future__ import annotations

from typing import get_args

import pytest

from consumers.dead_letters.sink import HEADERS, cut, dead_letter
from consumers.events.record import Record
from consumers.events.rejection import MEANINGS, Reason
from deploy.reference import FOLDER, config_page, pages


@pytest.mark.parametrize("name", pages())
def test_the_page_is_current(name: str) -> None:
    """Run `python -m deploy.reference` after a change to config, metrics, commands or a contract."""
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name]


def test_every_key_has_a_meaning() -> None:
    rows = [line for line in config_page().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_reason_has_a_meaning() -> None:
    assert set(MEANINGS) == set(get_args(Reason))


def test_the_headers_are_those_of_dead_letters() -> None:
    """The page lists exactly the headers that a letter may have."""
    whole = dead_letter(Record("t", 0, 1, 2, b"k", b"v" * 10), "bad_id", "detail")
    empty = dead_letter(Record("t", 0, 1, 2, None, None), "null_value")
    made = {name for letter in (whole, empty, cut(whole)) for name, _ in letter.headers}
    assert made == set(HEADERS)
