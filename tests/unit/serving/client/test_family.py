"""The family of signals that speaks most for an item."""

from __future__ import annotations

import doctest
import re

import pytest

from models.learning.shown.list_maker import MORE
from models.settings import SINGLE
from models.signals.registry import NAMES
from serving.client import ListedItem, reason, reasons
from tests.support.store.page import PAGE


def test_examples() -> None:
    assert doctest.testmod(reasons) == (0, 1)


@pytest.mark.parametrize(
    ("why", "family"),
    [
        (None, None),
        ({}, None),
        ({"age": -1.0, "text": 0.0}, None),
        ({"text": 0.4, "text_own": 0.4, "affinity": 0.7}, "alike"),
        ({"text": 0.8, "text_own": -0.6, "affinity": 0.3}, "taste"),
        ({"text": 0.24, "affinity": 0.2, "stage": 0.2, "age": 0.2, "appeal": 0.16}, None),
        ({"text": 0.26, "affinity": 0.2, "stage": 0.2, "age": 0.2, "appeal": 0.14}, "alike"),
        ({"a_newer_signal": 2.0, "text": 1.0}, None),
        ({"a_newer_signal": 1.0, "text": 2.0}, "alike"),
    ],
)
def test_the_largest_positive_family(why: dict[str, float] | None, family: str | None) -> None:
    """Sums, not single parts; none below a quarter of all that is positive."""
    assert reason(ListedItem("dune", 1.0, why)) == family


def test_every_signal_has_one_family() -> None:
    """Those of lists, of lists by one signal alone, and of neighbours; the page for readers names each family."""
    listed = [signal for signals in reasons.FAMILIES.values() for signal in signals]
    assert len(listed) == len(set(listed))
    assert set(listed) >= set(NAMES) | set(MORE) | {str(one) for one in SINGLE.values()} | {
        "together",
        "text",
    }
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index("| `reason` |") :].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)[1:] == list(reasons.FAMILIES)
