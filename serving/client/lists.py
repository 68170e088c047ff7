"""Define the value of a list, and decode it."""

from __future__ import annotations

import msgspec


class ListedItem(msgspec.Struct, omit_defaults=True):
    """One item of a list."""

    id: str
    """The item's id."""
    score: float
    """Larger is better. Scores of different lists cannot be compared."""
    why: dict[str, float] | None = None
    """What each signal adds to the score, by its name; only the first `publish.explain_top` items carry it."""


class DrawnFrom(msgspec.Struct):
    """The candidates of a drawn list, and how likely each was to stand at each place."""

    items: list[str]
    """Their ids."""
    scores: list[float]
    """Log odds of a click, in the order of `items`, as the list was drawn by them."""
    temperature: float
    """Scores are divided by it before the draw: the larger, the further a list may leave their order."""
    share: float
    """The share of places that only new items could take."""
    new: list[str]
    """Ids of the candidates that were new items."""


class RecommendationList(msgspec.Struct, omit_defaults=True):
    """The value of `cc:rec`, `cc:popular` and `cc:similar`. Readers ignore fields they do not know."""

    v: int
    """Version of this format: 1."""
    model: int
    """Network steps when the list was made."""
    event_ts: int
    """Newest event time of the domain when the list was made, in ms."""
    published_ts: int
    """When the list was made, Unix time in ms."""
    items: list[ListedItem]
    """Best first, or as drawn; at most `publish.top`, or `publish.similar`."""
    policy: str = ""
    """How lists were drawn, by name; left out if they are not drawn (`ranker.explore = 0`)."""
    p: list[float] = []
    """The probability that each place gets its item, given the places before it; left out like `policy`."""
    pool: DrawnFrom | None = None
    """What the list was drawn from (`publish.pool`), for `evaluate --impressions`; left out without."""
    experiment: str = ""
    """The live experiment that the list is part of; missing if it is of none."""
    arm: str = ""
    """The arm of that experiment that made the list."""


_decoder = msgspec.json.Decoder(RecommendationList)


def decode_list(data: bytes) -> RecommendationList:
    """Return the list in `data`. Raises msgspec.DecodeError on anything else."""
    return _decoder.decode(data)
