"""Define the closed list of reasons for a rejection, and the words that tell a producer what to change."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from consumers.events.rules import ALLOWED_TYPES

Reason = Literal[
    "null_value",
    "too_large",
    "not_utf8",
    "malformed_json",
    "wrong_type",
    "missing_field",
    "unknown_type",
    "unknown_domain",
    "bad_id",
    "not_finite",
    "out_of_range",
    "no_timestamp",
    "timestamp_in_seconds",
    "future_timestamp",
    "bad_context",
    "bad_items",
    "bad_tags",
    "bad_vectors",
    "other_key",
    "not_framed",
    "unknown_schema",
    "unusable_schema",
    "malformed_body",
]
"""The closed list of reasons. The documentation says what each means."""

MEANINGS: dict[Reason, str] = {
    "null_value": "an interaction without value, or an item record without key and value",
    "too_large": "a value longer than intake.max_record_bytes",
    "not_utf8": "bytes that are not UTF-8",
    "malformed_json": "no JSON",
    "wrong_type": "a field of another JSON type than is allowed",
    "missing_field": "no field where one is needed",
    "unknown_type": "a type other than click, rating, impression and those of [events]",
    "unknown_domain": "a topic that no domain of the config owns; such a topic is not read, so this happens only to "
    "what another program wrote to shards.reroute_topic",
    "bad_id": "an id or key that is empty, too long, or no proper Unicode",
    "not_finite": "a value that is NaN or infinite",
    "out_of_range": "a value outside the domain's rating_range",
    "no_timestamp": "no time, neither in the value nor of the record",
    "timestamp_in_seconds": "a time below 10^11: seconds where milliseconds are wanted",
    "future_timestamp": "a time more than 5 minutes ahead of the record's own, or of the service's clock",
    "bad_context": "too many entries in context",
    "bad_items": "an impression of no items, or of too many",
    "bad_tags": "too many tags, an empty one, one that is too long or holds a comma",
    "bad_vectors": "too many vectors, an empty one, or one that is too long",
    "other_key": "a request to forget that was made with another privacy.key",
    "not_framed": "a value that does not begin with a zero byte and a schema's id, in a topic of such a format",
    "unknown_schema": "the id of a schema that the registry does not have",
    "unusable_schema": "the id of a schema of another kind than the topic's format, or of one that cannot be used",
    "malformed_body": "bytes that do not fit their schema",
}
"""What each reason says about the record."""

ID_LIMIT = 256
CONTEXT_LIMIT = 16
ITEMS_LIMIT = 200
"""Most items of an impression."""
TAGS_LIMIT, TAG_LIMIT = 32, 64
"""Most tags of an item, and most characters of a tag."""
VECTORS_LIMIT, VECTOR_WIDTH_LIMIT = 8, 4096
SHOWN, DETAIL_LIMIT = 40, 300
"""Most characters of a name or word of the record in a detail, and of a whole detail."""

_ID = f"a string of 1 to {ID_LIMIT} characters"
NUMBERS_TOO = 'intake.ids = "any" in the config takes whole numbers too'
ALLOWED = {
    "type": ALLOWED_TYPES,
    "user_id": _ID,
    "item_id": _ID,
    "event_id": _ID,
    "value": "a finite number",
    "timestamp": "ms since the epoch, a whole number",
    "context": f"an object of at most {CONTEXT_LIMIT} numbers or strings",
    "impression": _ID,
    "items": f"an array of 1 to {ITEMS_LIMIT} strings of 1 to {ID_LIMIT} characters",
    "list_ts": "ms since the epoch, a whole number",
    "title": "a string",
    "text": "a string",
    "available": "true or false",
    "tags": f"an array of at most {TAGS_LIMIT} strings of 1 to {TAG_LIMIT} characters without commas, "
    "or one string with commas between them",
    "vectors": f"an object of at most {VECTORS_LIMIT} arrays of 1 to {VECTOR_WIDTH_LIMIT:,} finite numbers",
    "key": "a string",
}
"""What a field may hold."""
_NUMBERED = f"{_ID}, or a whole number"
ALLOWED_NUMBERED = {
    **dict.fromkeys(("user_id", "item_id", "event_id", "impression"), _NUMBERED),
    "items": f"an array of 1 to {ITEMS_LIMIT} whole numbers, or strings of 1 to {ID_LIMIT} characters",
}
"""What an id may be where whole numbers are ids too."""
_JSON = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "array": "an array",
    "object": "an object",
}
"""msgspec's names of JSON's types."""
_EXPECTED = re.compile(r"got `(\w+)`(?: - at `\$\.?(.*)`)?$")


class Rejection(msgspec.Struct, frozen=True):
    """The verdict that a record is not learned. It becomes a dead letter with this reason.

    detail: the field, what was found and what is allowed; equal for equal records. It never holds an id.
    """

    reason: Reason
    domain: str = ""
    detail: str = ""


class Rejected(Exception):
    """Raised where a fault is found. `Decoder.decode` turns it into a `Rejection`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.detail = detail[:DETAIL_LIMIT]


def found(field: str, what: str, allowed: str | None = None) -> str:
    """Write `value: found a string, allowed: a finite number`."""
    return f"{field}: found {what}, allowed: {allowed or ALLOWED[field]}"


def missing(field: str, any_ids: bool = False) -> str:
    allowed = ALLOWED_NUMBERED.get(field) if any_ids else None
    allowed = allowed or ALLOWED.get(field)
    return f"{field}: missing" + (f", allowed: {allowed}" if allowed else "")


def word(text: str) -> str:
    """Quote a name or word of the record, cut to a length that fits into a log."""
    shown = text[:SHOWN].encode(errors="replace").decode()  # a header cannot hold a lone surrogate
    return f'"{shown}"' + ("…" if len(text) > SHOWN else "")


def of_validation(
    message: str, entries: Callable[[str], Mapping[str, Any]], any_ids: bool = False
) -> Rejected:
    """Turn msgspec's message about a field into ours.

    entries: the entries of a field of the record, to name the wrong one. any_ids: whether whole numbers are ids too.
    """
    if "missing required field" in message:
        return Rejected("missing_field", missing(message.split("`")[1], any_ids))
    what = json_type(message)
    match = _EXPECTED.search(message)
    field, _, inside = (match[2] or "" if match else "").partition("[")
    if not field:
        return Rejected("wrong_type", found("the record", what, "an object"))
    entry = _wrong_entry(field, entries(field)) if inside else None
    allowed = ALLOWED_NUMBERED.get(field) if any_ids else None
    if not any_ids and field in ALLOWED_NUMBERED and what == _JSON["int"] and (inside or field != "items"):
        allowed = f"{ALLOWED[field]} ({NUMBERS_TOO})"
    return Rejected(
        "wrong_type", found(field, what if entry is None else f"{what} in {word(entry)}", allowed)
    )


def json_type(message: str) -> str:
    """Return the JSON type that msgspec found, from its message."""
    match = _EXPECTED.search(message)
    return _JSON.get(match[1], match[1]) if match else "another type"


def _wrong_entry(field: str, entries: Mapping[str, Any]) -> str | None:
    """Return the name of the first entry that `field` may not hold."""
    return next((name for name, entry in entries.items() if not _may_hold(field, entry)), None)


def _may_hold(field: str, entry: Any) -> bool:
    if field == "vectors":
        return isinstance(entry, list) and all(map(_is_number, entry))
    return isinstance(entry, str) or _is_number(entry)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def when(ms: int) -> str:
    """Write `1700000000000 (2023-11-14 22:13:20Z)`; the number alone if the calendar has no such day."""
    try:
        return f"{ms} ({datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%SZ})"
    except (ValueError, OverflowError, OSError):
        return str(ms)
