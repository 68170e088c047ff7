"""What the value of a record holds, by kind of record: the fields of the contract, before their limits are checked."""

from __future__ import annotations

from typing import Any

import msgspec

Id = str | int | float
"""An id where whole numbers are ids too. Some producers write 12 as 12.0."""


class InteractionFields(msgspec.Struct):
    """A click or a rating."""

    type: str
    """A click, a rating with a value, or a type of the producer's own."""
    user_id: str
    """Id of the user. It is also the record's key, unchanged: this keeps a user's events in order."""
    item_id: str
    """Id of the item."""
    value: Any = None
    """The rating, within the domain's rating_range. Needed for a rating, ignored for other types."""
    timestamp: int | float | None = None
    """Time of the event; the default is the record's own time."""
    event_id: str | None = None
    """Tells a repeated record: the same id among the latest `intake.dedup_events` is counted and skipped."""
    context: dict[str, float | str] | None = None
    """Circumstances, such as {"device": "tv"}. They are hashed into a bounded space."""
    impression: str | None = None
    """The event_id of the impression that the event answers. Without it, the user's latest impression within
    `impressions.window_seconds` that showed the item is meant."""


class NumberedInteractionFields(InteractionFields):
    """A click or a rating whose ids may be whole numbers (`intake.ids = "any"`)."""

    user_id: Id  # type: ignore[assignment]
    item_id: Id  # type: ignore[assignment]
    event_id: Id | None = None  # type: ignore[assignment]
    impression: Id | None = None  # type: ignore[assignment]


class ImpressionFields(msgspec.Struct):
    """Items that a user was shown together."""

    type: str
    """Always "impression"."""
    user_id: str
    """Id of the user. It is also the record's key, unchanged: this keeps impressions and events in order."""
    items: list[str]
    """Ids of the shown items in their order, the first at the top."""
    list_ts: int | float | None = None
    """The `published_ts` of the list that was shown, if it was one of the service's."""
    timestamp: int | float | None = None
    """When the items were shown; the default is the record's own time."""
    event_id: str | None = None
    """By this id events name the impression. It tells a repeated record, too: the same id among the latest
    `intake.dedup_events` is counted and skipped."""


class NumberedImpressionFields(ImpressionFields):
    """Items that were shown, whose ids may be whole numbers (`intake.ids = "any"`)."""

    user_id: Id  # type: ignore[assignment]
    items: list[Id]  # type: ignore[assignment]
    event_id: Id | None = None  # type: ignore[assignment]


class ItemFields(msgspec.Struct):
    """An item of a catalogue."""

    item_id: str
    """Id of the item. It is also the record's key, unchanged. With a null value the key names the item to remove."""
    title: str | None = None
    """Its name. May be missing or empty."""
    text: str | None = None
    """What describes it; title and text are encoded together."""
    available: bool | None = None
    """false: it is not recommended for now. Missing or null: it is available."""
    tags: list[str] | str | None = None
    """What readers may filter by, such as ["space", "classic"]. They are published; nothing is learned from them."""
    vectors: dict[str, list[float]] | None = None
    """Embeddings made elsewhere, by name, such as {"cover": [0.1, 0.2]}."""


class NumberedItemFields(ItemFields):
    """An item whose id may be a whole number (`intake.ids = "any"`)."""

    item_id: Id  # type: ignore[assignment]


NUMBERED = (NumberedInteractionFields, NumberedImpressionFields, NumberedItemFields)
"""What holds ids that may be whole numbers."""


class ForgetFields(msgspec.Struct):
    """A request to forget a user."""

    timestamp: int | float
    """When the request was made; the user's events up to then are dropped."""
    key: str = ""
    """The fingerprint of the key with which the mark was made."""
