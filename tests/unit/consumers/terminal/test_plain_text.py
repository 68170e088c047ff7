"""Users' text is shown unchanged: brackets are no markup, :words: no pictures, escapes no commands."""

from __future__ import annotations

import io
from typing import Any, cast

import pytest
from rich.console import Console

from consumers.cli.explain import Asked, show_explanation
from consumers.dead_letters.overview import Group, LetterLine, Overview, print_overview
from consumers.terminal import log
from consumers.terminal.recommendations import show_recommendations
from models.arms.explanation import Explanation, PastItem
from serving.client import Reader, Recommended
from serving.contract import ListedItem

TITLES = (
    "[rec] (2007)",
    "Broken [/b] tag",
    ":smile: [bold]x[/bold]",
    "[link=http://x]y[/link]",
    "\x1b[2J\x07gone",
)
SHOWN = (*TITLES[:4], "\\x1b[2J\\x07gone")


class Listed:
    """A reader with one list, in which ids are titles."""

    def recommend(self, user: str, domain: str, k: int) -> Recommended:
        items = [ListedItem(title, 1.0, {"[red]": 1.0}) for title in TITLES]
        return Recommended(items, "personal", 1.0, 3)

    def titles(self, domain: str, items: list[str]) -> dict[str, str]:
        return {item: item for item in items}


@pytest.fixture(params=["ours", "rich's own"])
def console(request: pytest.FixtureRequest) -> Console:
    """Return a console, also one that reads markup: code must not depend on which it is."""
    made = Console(width=200, file=io.StringIO())
    if request.param == "ours":
        made = log.console()
        made.file, made.width = io.StringIO(), 200
    return made


def said(console: Console) -> str:
    return cast(io.StringIO, console.file).getvalue()


def test_recommend(console: Console) -> None:
    show_recommendations(cast(Reader, Listed()), "[u]", "movies", 5, console)
    for title in ("movies for [u]:", *SHOWN, "[red] +1.00"):
        assert title in said(console)
    assert "\x1b" not in said(console)


def test_explain(console: Console) -> None:
    past = [PastItem("movies", title, title, 1.0, 0.5) for title in TITLES]
    found = Explanation(
        "[/b] t", "full", True, 0, "", False, 1.0, {"[x]": 1.0}, 3.0, {"[y]": 3.0}, {"[z]": 1.0}, past
    )
    show_explanation(found, Asked("[u]", "[i]", "movies", 10), console)
    for text in (
        "[/b] t ([i], movies) for [u]: number 1 on the list of a new user, by the newest checkpoint",
        "no user [u] is known",
        "[x]",
        "[y]",
        "[z]",
        *SHOWN,
    ):
        assert text in said(console)
    assert "\x1b" not in said(console)


def test_dead_letters(console: Console) -> None:
    groups = [Group("[/b]", "0", title) for title in TITLES]
    lines = [LetterLine("0:1", title, "[x]", title, 0, 1, False, False) for title in TITLES]
    print_overview(Overview([], groups, lines), console)
    for text in ("[/b]", "[x]", *SHOWN):
        assert text in said(console)


def test_whatever_is_printed_by_our_console_is_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """Text that our console prints in future is not markup either."""
    printed: Any = log.console()
    printed.print("[/b] [bold]x[/bold] :smile:")
    assert capsys.readouterr().out == "[/b] [bold]x[/bold] :smile:\n"
