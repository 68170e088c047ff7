"""The documentation names tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.support.paths import ROOT

NAMED = re.compile(r"(?<![\w/])(?:tests/)?((?:unit|laws|integration|soak)/[\w/]*\w+\.py)")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "deploy" / "docs").glob("*.md"))]


def test_some_are_named() -> None:
    """Some tests are named; otherwise this file would show nothing."""
    assert sum(len(NAMED.findall(page.read_text())) for page in PAGES) > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: object) -> None:
    """A named test exists as a path below `tests`."""
    text = (ROOT / str(page)).read_text()
    assert [name for name in NAMED.findall(text) if not (ROOT / "tests" / name).exists()] == []
