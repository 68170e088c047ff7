"""Name what speaks most for an item on a list, for people: a family of signals, whose sentence the reader chooses."""

from __future__ import annotations

from .lists import ListedItem

FAMILIES = {
    "popular": (
        "popularity", "popularity_1d", "popularity_3d", "popularity_30d", "popularity_ever", "popularity_1000_events",
    ),
    "next": ("sequence", "sequence_60d", "sequence_reversed"),
    "together": ("co_visitation", "co_visitation_30d", "co_visitation_sources", "together"),
    "alike": ("text", "text_own", "text_nearest"),
    "taste": ("affinity",),
    "stage": ("stage",),
    "age": ("age",),
    "appeal": ("appeal",),
    "fatigue": ("fatigue",),
}  # fmt: skip
"""The signals of each family, by the names in `why`."""
SHARE = 0.25
"""Least share of all that speaks for an item; below it no family is named."""
_FAMILY_OF = {signal: family for family, signals in FAMILIES.items() for signal in signals}


def reason(item: ListedItem) -> str | None:
    """Return the family that speaks most for an item, one of FAMILIES; None if `why` is missing or none stands out.

    The parts of a family are added up. The largest family is named, if it has at least a quarter of all that is
    positive. A signal that this version does not know is a family of its own, which has no name. Raises TypeError for
    anything but an item of a list.

    >>> reason(ListedItem("dune", 1.4, {"popularity_1d": 0.5, "popularity_ever": -0.4, "text": 0.3, "affinity": 1.0}))
    'taste'
    """
    if not isinstance(item, ListedItem):
        raise TypeError(f"an item of a list is wanted, a ListedItem, not {type(item).__name__}")
    sums: dict[str, float] = {}
    for signal, part in (item.why or {}).items():
        family = _FAMILY_OF.get(signal, signal)
        sums[family] = sums.get(family, 0.0) + part
    positive = {family: total for family, total in sums.items() if total > 0}
    largest = max(positive, key=positive.__getitem__, default=None)
    if largest not in FAMILIES or positive[largest] < SHARE * sum(positive.values()):
        return None
    return largest
