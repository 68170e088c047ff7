"""Say why an item is on a list: which signals speak for it, in words."""

from __future__ import annotations

from collections.abc import Mapping

TOGETHER, ALIKE = "goes together with", "has a text like"
"""Beginnings of reasons that name an item that the user had."""
PAST = {
    **dict.fromkeys(("sequence", "sequence_60d"), "often comes next after"),
    "sequence_reversed": "often comes shortly before",
    **dict.fromkeys(("co_visitation", "co_visitation_30d", "co_visitation_sources"), TOGETHER),
    **dict.fromkeys(("text", "text_nearest", "text_own"), ALIKE),
}
"""What a signal says of the item and one that the user had."""
OTHERS = {
    "popularity_1d": "is popular today",
    "popularity_3d": "is popular these days",
    "popularity_30d": "is popular this month",
    "popularity_ever": "has always been popular",
    "popularity_1000_events": "is popular right now",
    "stage": "is chosen by users who are as far as they are",
    "age": "is as new as what is chosen",
    "affinity": "is close to their taste",
}
"""What the other signals say of the item."""


def speaking_for(why: Mapping[str, float], usual: Mapping[str, float] | None = None) -> list[str]:
    """Return the signals whose contribution to the score is positive, the largest first.

    usual: contributions to compare with; then the signal comes first that is most above its usual contribution.

    >>> speaking_for({"text": 0.5, "age": -2.0, "affinity": 0.7})
    ['affinity', 'text']
    >>> speaking_for({"text": 0.5, "affinity": 0.7}, {"affinity": 0.6})
    ['text', 'affinity']
    """
    usual = usual or {}
    positive = [name for name, value in why.items() if value > 0]
    return sorted(positive, key=lambda name: usual.get(name, 0.0) - why[name])
