"""Look again at a record that the fast decoder refuses: drop what is not needed, or say what is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from typing import Any

from consumers.events.rejection import Rejected, found

IDS = ("user_id", "item_id", "event_id", "impression", "items")
"""Fields that hold an id, or several."""
EXACT = 2**53
"""A float from here on may stand for several whole numbers."""
LARGEST = 308
"""Digits of an integer that is certainly a finite float."""


def needed(value: bytes, fields: Collection[str], why: Exception) -> bytes:
    """Return the record without unused parts, so that NaN in an unused column loses no event.

    Dropped are unknown fields, and what `usable` drops.

    fields: the fields of the contract. why: the fast decoder's error. Raises Rejected.
    """
    parsed = parse_leniently(value, why)
    if not isinstance(parsed, dict):
        raise Rejected("wrong_type", found("the record", json_name(parsed), "an object"))
    kept = {name: parsed[name] for name in fields if name in parsed}
    for name, x in kept.items():
        if name in IDS and any(map(_has_lone_surrogate, x if isinstance(x, list) else [x])):
            raise Rejected("bad_id", found(name, "a lone surrogate"))
    try:
        return json.dumps(usable(kept)).encode()
    except RecursionError:
        raise Rejected("malformed_json", f"the record: {why}") from None


def _has_lone_surrogate(x: Any) -> bool:
    return isinstance(x, str) and any("\ud800" <= c <= "\udfff" for c in x)


def parse_leniently(value: bytes, why: Exception) -> Any:
    """Parse JSON with NaN, infinities and integers of any length. Raises Rejected with `why`."""
    try:
        return json.loads(value.decode(), parse_int=_integer)
    except (ValueError, RecursionError):
        raise Rejected("malformed_json", f"the record: {why}") from None


def usable(kept: dict[str, Any]) -> dict[str, Any]:
    """Drop the `value` of what is no rating, and numbers of the context that are not finite. Others are Rejected."""
    if kept.get("type") != "rating":
        kept.pop("value", None)
    for name, x in kept.items():
        kind = type(x)
        if kind is str or kind is int:
            continue
        if kind is dict and name == "context" and any(map(_is_nonfinite, x.values())):
            kept[name] = {key: value for key, value in x.items() if not _is_nonfinite(value)}
        if (bad := _nonfinite(kept[name])) is not None:
            raise Rejected("not_finite", found(name, str(bad)))
    return kept


def field_in(value: bytes, field: str) -> Any:
    """Return one field of a refused record; None if it has none."""
    try:
        parsed = json.loads(value.decode(), parse_int=_integer)
    except (ValueError, RecursionError):
        return None
    return parsed.get(field) if isinstance(parsed, dict) else None


def entries(value: bytes, field: str) -> dict[str, Any]:
    """Return the entries of one field of a refused record; empty if it has none."""
    return entries_of({field: field_in(value, field)}, field)


def entries_of(parsed: Any, field: str) -> dict[str, Any]:
    """Return the entries of one field of a record; empty if it has none."""
    found_there = parsed.get(field) if isinstance(parsed, dict) else None
    return found_there if isinstance(found_there, dict) else {}


def _integer(text: str) -> int | float:
    """Return infinity for an integer with more digits than Python reads."""
    return int(text) if len(text) <= LARGEST else float(text)


def is_exact(number: float) -> bool:
    """Return whether a number is whole and every digit of it is known."""
    return number.is_integer() and abs(number) < EXACT


def _is_nonfinite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _nonfinite(value: Any) -> float | None:
    """Return the first number inside that is not finite."""
    if type(value) is float:
        return None if math.isfinite(value) else value
    waiting = [value]  # a list instead of recursion: json.loads allows deeper nesting than Python's stack
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, float) and not math.isfinite(value):
            return value
    return None


def json_name(value: Any) -> str:
    """Name the JSON type of a parsed value, in words."""
    if value is None:
        return "null"
    return next((name for kind, name in _NAMES.items() if isinstance(value, kind)), "another type")


_NAMES: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}
"""In this order: true is an int, too."""
