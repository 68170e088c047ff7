"""Define what a reader returns."""

from __future__ import annotations

from typing import Literal, NamedTuple

from .lists import ListedItem

Origin = Literal["personal", "popular", "empty"]


class Recommended(NamedTuple):
    """A user's list, best first."""

    items: list[ListedItem]
    origin: Origin
    """personal: the user's own list. popular: the domain's list for everybody. empty: there is neither.

    If filters leave no item of either, it is the user's own list, if there is one, without items.
    """
    age_seconds: float | None
    """How long ago the list was made; None without a list."""
    model: int | None
    """Network steps when it was made; None without a list."""
    published_ts: int | None = None
    """When it was made, Unix time in ms: the `list_ts` of an impression. None without a list."""


class Similar(NamedTuple):
    """The items most like one item, best first; none if the store has no neighbours of it."""

    items: list[ListedItem]
    age_seconds: float | None
    """How long ago the neighbours were found; None if the store has none of this item."""


class RankedItem(NamedTuple):
    """A candidate of your own with its score, which can be compared within one answer only."""

    id: str
    score: float
    """1 to 2 for an item on the user's list, in its order; 0 to 1 for others, estimated from what is published."""
    known: bool
    """Whether the store has anything of the item."""


class Status(NamedTuple):
    """What the store says of itself."""

    domains: list[str]
    """Domains with lists."""
    age_seconds: float | None
    """How long ago the service wrote last; it writes every few seconds while events come. None: it never has."""
    model: int | None
    """Network steps."""
