"""The page on learning says what every word of `explain` means, and names no other."""

from __future__ import annotations

import re

from models.rating.events import RatingParts
from tests.support.paths import ROOT

PAGE = (ROOT / "deploy" / "docs" / "learning.md").read_text(encoding="utf-8")


def words(head: str) -> set[str]:
    """Return the words in the first column of the table that begins so."""
    table = PAGE[PAGE.index(head) :].split("\n\n")[0]
    return set(re.findall(r"`([^`]+)`", " ".join(line.split("|")[1] for line in table.splitlines())))


def test_the_parts_of_a_rating() -> None:
    assert words("| part | meaning |") == set(RatingParts().named())


def test_the_bias_terms_of_a_domain() -> None:
    layers = set(re.findall(r'"(\w+)": self\.\w+_bias', (ROOT / "models/network/two_tower.py").read_text()))
    assert len(layers) >= 5
    own = {"domain:<domain>", "external@domain:<domain>"}
    assert words("| term | meaning |") == layers | {f"{name}_gap" for name in layers} | own
