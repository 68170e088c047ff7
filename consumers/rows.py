"""One row of a table as a record in contract JSON, or the reason why not."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

Kind = Literal["interactions", "items"]

_TEXT_LIMIT = 4000  # characters: an encoder reads a few hundred words, and Kafka refuses records above 1 MB
_FIRST_MS = 10**11  # the contract's earliest timestamp; smaller numbers are seconds
_UNITS = ((10**14, 1.0), (10**17, 1e-3))  # ms, µs; above that ns

Row = tuple[Any, ...]
"""A row's values in the order of `_EVENT` or `_ITEM`; None where the table has no such column."""


class Sent(msgspec.Struct, frozen=True, gc=False):
    """One record for Kafka in contract JSON. `value` None: a tombstone; `timestamp`: the event's, ms."""

    kind: Kind
    domain: str
    key: bytes
    value: bytes | None
    timestamp: int | None = None


class BadRowError(Exception):
    """Why this row gives no record."""


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


def event_record(domain: str, row: Row, latest: int) -> Sent:
    user, item, _, rating, timestamp, event_id, context, kind = row
    user, item = _id(user, "user_id"), _id(item, "item_id")
    value: float | UnsetType = UNSET
    if kind != "click" and rating is not None and rating != "":
        try:
            value = float(rating)
        except (TypeError, ValueError):
            raise BadRowError(f"rating {_short(rating)} is not a number") from None
        if not math.isfinite(value):
            raise BadRowError(f"rating {_short(rating)} is not finite")
    elif kind not in ("click", None, ""):
        raise BadRowError(f"type {_short(kind)} without a rating")
    at = UNSET if timestamp is None or timestamp == "" else _time(timestamp, latest)
    event = _Event("click" if value is UNSET else "rating", user, item, value, at)
    if event_id:
        event.event_id = _id(event_id, "event_id")
    if isinstance(context, dict):
        event.context = context
    return Sent("interactions", domain, user.encode(), _encode(event), None if at is UNSET else at)


def item_record(domain: str, row: Row, _: int) -> Sent:
    item_id, _, title, text, genres, categories, features, description, available, vectors = row
    item_id, title, text = _id(item_id, "item_id"), _words(title), _words(text)
    genres = _words(genres).replace("(no genres listed)", "").replace("|", ", ")
    categories = _words(categories)
    if not text:
        about = (
            title,
            genres and f"Genres: {genres}",
            categories and f"Categories: {categories}",
            _words(features),
            _words(description),
        )
        text = ". ".join(part.rstrip(".") for part in about if part)
        text = "" if text == title else f"{text}."
    item = _Item(item_id, title, text[:_TEXT_LIMIT])
    item.available = str(available).lower() not in ("false", "0", "no")
    if isinstance(vectors, dict):
        item.vectors = vectors
    return Sent("items", domain, item_id.encode(), _encode(item))


def _id(value: Any, name: str) -> str:
    if not isinstance(value, str):
        # A column of numbers with gaps comes as floats.
        whole = isinstance(value, float) and value.is_integer()
        value = "" if value is None or value != value else str(int(value) if whole else value)  # noqa: PLR0124
    value = value.strip()
    if not 0 < len(value) <= 256:
        raise BadRowError(f"{name} has {len(value)} characters, not 1 to 256")
    return str(value)


def _time(value: Any, latest: int) -> int:
    """Seconds, ms, µs or ns since the epoch by their size, ISO 8601 (UTC unless it says otherwise): as ms."""
    try:
        if isinstance(value, str) and value.isdecimal():
            number: float = int(value)
        elif isinstance(value, date) or (isinstance(value, str) and not _NUMBER.fullmatch(value)):
            when = datetime.fromisoformat(str(value).strip())
            number = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        else:
            number = float(value)
        at = int(
            number * (1000 if number < _FIRST_MS else next((s for top, s in _UNITS if number < top), 1e-6))
        )
    except (TypeError, ValueError, OverflowError):
        raise BadRowError(f"timestamp {_short(value)} is neither a number nor ISO 8601") from None
    if at < _FIRST_MS:
        raise BadRowError(f"timestamp {_short(value)} is before 1973")
    if at > latest:
        raise BadRowError(f"timestamp {_short(value)} is in the future")
    return at


_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d*)?([eE][+-]?\d+)?\s*")


def _words(value: Any) -> str:
    """Text of a cell or of a list of them. What is not UTF-8 is taken for Latin-1, as in MovieLens."""
    text = ", ".join(map(_words, value)) if isinstance(value, list) else str(value or "").strip()
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    return text


def _short(value: Any) -> str:
    return repr(value)[:40]
