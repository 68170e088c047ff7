"""Turn one row of a table into a record in contract JSON, or say why it is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from consumers.datasets.fields.cells import as_flag, as_id, as_number, as_object, as_words, is_blank
from consumers.datasets.fields.times import parse_time, short
from consumers.datasets.options import DateOrder, Meaning, ReadOptions
from consumers.datasets.problems import BadRowError
from consumers.datasets.record import Sent

Row = tuple[Any, ...]
"""A row's values in the order of `columns.FIELDS_OF`; None for a column that the table lacks."""

_TEXT_LIMIT = 4000  # characters: an encoder reads a few hundred words, and Kafka refuses records above 1 MB
_CLICKS = frozenset(
    ("click", "clicks", "clicked", "view", "views", "viewed", "pageview", "play", "played", "read", "listen", "watch",
     "watched", "open", "visit")
)  # fmt: skip
_CLICK, _RATING = Meaning("click"), Meaning("rating")


class _Event(msgspec.Struct, omit_defaults=True, gc=False):
    type: str
    user_id: str
    item_id: str
    value: float | UnsetType = UNSET
    timestamp: int | UnsetType = UNSET
    event_id: str | UnsetType = UNSET
    context: Any = UNSET


class _Item(msgspec.Struct, omit_defaults=True, gc=False):
    item_id: str
    title: str
    text: str = ""
    available: bool = True
    vectors: Any = UNSET


_encode = msgspec.json.Encoder().encode


class EventParser:
    """Parses rows of interactions. Counts event types by their meaning."""

    def __init__(
        self, fields: Mapping[str, str], options: ReadOptions, latest: int, order: DateOrder | None
    ) -> None:
        """`latest`: ms; a later time is in the future. `order`: how 03/04/2011 is meant."""
        self._fields = fields
        self._options = options
        self._latest = latest
        self._order = order
        self.types: Counter[tuple[str, Meaning | None]] = Counter()
        """Rows by type and meaning; None for a type without a meaning."""

    def __call__(self, domain: str, row: Row) -> Sent | None:
        """Return the record; None for a type that is left out. Raises BadRowError."""
        user, item, _, rating, timestamp, event_id, context, kind = row
        meaning = None if kind is None else self._meaning(kind)
        if meaning is not None and meaning.kind == "skip":
            return None
        user = as_id(user, "user_id", self._fields)
        item = as_id(item, "item_id", self._fields)
        value: float | UnsetType = UNSET
        if self._options.as_clicks or (meaning is not None and meaning.kind == "click"):
            implicit = False
        elif meaning is not None and meaning.value is not None:
            value, implicit = meaning.value, False
        elif is_blank(rating):
            if meaning is not None:
                raise BadRowError(
                    f"rating is empty, and type is {short(kind)}: fill it in, or say --type {kind}=rating:5 or "
                    f"--type {kind}=click"
                )
            implicit = True
        else:
            value, implicit = as_number(rating, "rating"), False
        at: int | UnsetType = UNSET
        if "timestamp" in self._fields:
            if is_blank(timestamp):
                raise BadRowError(
                    "timestamp is empty: fill it in, or --no-time gives every row the present time"
                )
            at = parse_time(timestamp, self._latest, self._order)
        event = _Event("click" if value is UNSET else "rating", user, item, value, at)
        if event_id is not None and not is_blank(event_id):
            event.event_id = as_id(event_id, "event_id", self._fields)
        if context is not None and not is_blank(context):
            event.context = as_object(context, "context")
        when = None if at is UNSET else at
        return Sent("interactions", domain, user.encode(), _encode(event), when, implicit=implicit)

    def _meaning(self, kind: Any) -> Meaning | None:
        """Return the meaning of the row's type; None without a type. Raises BadRowError for an unknown type."""
        if is_blank(kind):
            return None
        name = str(kind).strip()
        lower = name.lower()
        meaning = self._options.types.get(lower)
        if meaning is None:
            meaning = (
                _RATING if lower in ("rating", "rate", "rated") else _CLICK if lower in _CLICKS else None
            )
        if meaning is None and self._options.as_clicks:
            meaning = _CLICK
        self.types[name, meaning] += 1
        if meaning is None:
            raise BadRowError(
                f"type {short(kind)} is neither click nor rating: say --type {name}=click or the like"
            )
        return meaning


class ItemParser:
    """Parses rows of items."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields

    def __call__(self, domain: str, row: Row) -> Sent:
        """Return the record. Raises BadRowError, and UndecodableError for text in another encoding."""
        item_id, _, title, text, genres, categories, features, description, available, vectors = row
        item_id = as_id(item_id, "item_id", self._fields)
        title, text = as_words(title, "title"), as_words(text, "text")
        genres = as_words(genres, "genres").replace("(no genres listed)", "").replace("|", ", ")
        categories = as_words(categories, "categories")
        if not text:
            about = (
                title,
                genres and f"Genres: {genres}",
                categories and f"Categories: {categories}",
                as_words(features, "features"),
                as_words(description, "description"),
            )
            text = ". ".join(part.rstrip(".") for part in about if part)
            text = "" if text == title else f"{text}."
        item = _Item(item_id, title, text[:_TEXT_LIMIT])
        if not is_blank(available):
            item.available = as_flag(available, "available")
        if not is_blank(vectors):
            item.vectors = as_object(vectors, "vectors")
        return Sent("items", domain, item_id.encode(), _encode(item))
