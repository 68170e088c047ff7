"""Reasons in words: what speaks for an item comes first, and every signal has words."""

from __future__ import annotations

import io

from rich.console import Console

from consumers.terminal.reasons import OTHERS, PAST, speaking_for
from consumers.terminal.recommendations import show_recommendations
from models.signals.registry import NAMES
from serving.client import Recommended
from serving.contract import ListedItem


class OneList:
    """A store with one list."""

    def recommend(self, user: str, domain: str, k: int) -> Recommended:
        why = {"popularity_ever": -3.0, "text": 0.5, "age": 0.1, "affinity": 0.9}
        return Recommended([ListedItem("dune", 1.0, why), ListedItem("emma", 0.5, None)], "personal", 1.0, 3)

    def titles(self, domain: str, items: list[str]) -> dict[str, str]:
        return {"dune": "Dune", "emma": ""}


def test_only_what_speaks_for_the_item() -> None:
    """Largest first; beside what is usual, the one that is most above it."""
    why = {"text": 0.5, "age": -2.0, "affinity": 0.7, "stage": 0.0}
    assert speaking_for(why) == ["affinity", "text"]
    assert speaking_for(why, {"affinity": 0.6}) == ["text", "affinity"]


def test_every_signal_has_words() -> None:
    """A signal that is added needs them too."""
    assert set(PAST) | set(OTHERS) == set(NAMES)


def test_the_table_begins_with_what_speaks_for_the_item() -> None:
    """Although a contribution against it is larger."""
    out = io.StringIO()
    reader: object = OneList()
    show_recommendations(reader, "ann", "books", 2, Console(file=out, width=120))  # type: ignore[arg-type]
    assert "affinity +0.90, text +0.50, age +0.10" in out.getvalue()
