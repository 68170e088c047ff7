"""What the value of a record holds, by kind of record: the fields of the contract, before their limits are checked."""

from __future__ import annotations

from typing import Any

import msgspec


class InteractionFields(msgspec.Struct):
    """A click or a rating."""

    type: str
    """A click, or a rating with a value."""
    user_id: str
    """Id of the user. It is also the record's key, unchanged: this keeps a user's events in order."""
    item_id: str
    """Id of the item."""
    value: Any = None
    """The rating, within the domain's rating_range. Needed for a rating, ignored for a click."""
    timestamp: int | float | None = None
    """Time of the event; the default is the record's own time."""
    event_id: str | None = None
    """Tells a repeated record: the same id among the latest `intake.dedup_events` is counted and skipped."""
    context: dict[str, float | str] | None = None
    """Circumstances, such as {"device": "tv"}. They are hashed into a bounded space."""


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
    vectors: dict[str, list[float]] | None = None
    """Embeddings made elsewhere, by name, such as {"cover": [0.1, 0.2]}."""


class ForgetFields(msgspec.Struct):
    """A request to forget a user."""

    timestamp: int | float
    """When the request was made; the user's events up to then are dropped."""
    key: str = ""
    """The fingerprint of the key with which the mark was made."""
