"""Read one cell as an id, a number, a flag, words or an object, by the same rules for CSV, JSON and Parquet.

Each function raises BadRowError, which names the field, what it holds, and what to do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from consumers.datasets.fields.times import short
from consumers.datasets.formats.text_stream import UNDECODABLE
from consumers.datasets.problems import BadRowError

_EMPTY = frozenset(("", "nan", "null", "none", "<na>", "n/a", "\\n"))  # \N is MySQL's
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,(\d{1,2}|\d{4,})")  # 1,234 can be read in two ways
_WHOLE = re.compile(r"(-?\d+)\.0+")
_CUT_OFF = re.compile(r"-?\d(\.\d+)?[eE]\+\d+")  # 9.78014E+12: a spreadsheet has dropped digits
_EXACT = 2**53  # from here on floats skip integers
_TRUE = frozenset(("true", "t", "yes", "y", "1", "1.0", "on", "in stock", "in_stock", "instock"))
_FALSE = frozenset(("false", "f", "no", "n", "0", "0.0", "off", "out of stock", "out_of_stock", "outofstock"))


class UndecodableError(BadRowError):
    """Text that is not in the file's encoding. One such row shows that the encoding is another one."""


def is_blank(value: Any) -> bool:
    """Return whether a cell is empty, or holds a word that stands for a missing value."""
    if isinstance(value, str):
        return len(value) < 7 and (value in _EMPTY or value.strip().lower() in _EMPTY)
    return value is None or (isinstance(value, float) and math.isnan(value))


def as_id(value: Any, field: str, columns: Mapping[str, str]) -> str:
    """Return the id as text. 42.0 becomes 42: a column of integers with gaps is written with decimals."""
    if is_blank(value):
        raise BadRowError(f"{field} is empty")
    if not isinstance(value, str):
        value = _id_text(value, field, columns)
    value = value.strip()
    if value.isalnum() and len(value) <= 256:  # a short cut for nearly all ids
        return str(value)
    _refuse_odd(value, field)
    if value[-1:] == "0" and (whole := _WHOLE.fullmatch(value)) is not None:
        value = whole[1]
    elif "+" in value and _CUT_OFF.fullmatch(value):
        raise BadRowError(
            f"{field} {short(value)} has lost digits in a spreadsheet: export the column as text"
        )
    if not 0 < len(value) <= 256:
        raise BadRowError(f"{field} has {len(value):,} characters, not 1 to 256")
    return str(value)


def _id_text(value: Any, field: str, columns: Mapping[str, str]) -> str:
    if isinstance(value, bytes):
        return _utf8(value, field)
    if isinstance(value, bool | dict | list | tuple):
        column = columns.get(field, field)
        inner = next(iter(value), None) if isinstance(value, dict) else None
        advice = f": take one of its fields, as in --map {field}={column}.{inner}" if inner else ""
        raise BadRowError(f"{field} is {kind_of(value)} ({short(value)}), not a text or a number{advice}")
    if isinstance(value, float) and value.is_integer():
        if abs(value) >= _EXACT:
            raise BadRowError(f"{field} {value!r} has lost digits: write the column as whole numbers or text")
        return str(int(value))
    return str(value)


def as_number(value: Any, field: str) -> float:
    """Return a finite number; 4,5 is 4.5."""
    if isinstance(value, bytes):
        value = _utf8(value, field)
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            if not _DECIMAL_COMMA.fullmatch(text):
                finite = text.lower().lstrip("+-") not in ("inf", "infinity")
                raise BadRowError(f"{field} {short(value)} is not {'a number' if finite else 'finite'}")
            text = text.replace(",", ".")
        number = float(text)
    elif isinstance(value, bool | dict | list | tuple):
        raise BadRowError(f"{field} is {kind_of(value)} ({short(value)}), not a number")
    else:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise BadRowError(f"{field} {short(value)} is not a number") from None
    if not math.isfinite(number):
        raise BadRowError(f"{field} {short(value)} is not finite")
    return number


def as_flag(value: Any, field: str) -> bool:
    """Return yes or no, from the words that exports use."""
    word = (_utf8(value, field) if isinstance(value, bytes) else str(value)).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise BadRowError(f"{field} {short(value)} is none of true, false, t, f, yes, no, y, n, 1, 0")


def as_object(value: Any, field: str) -> dict[str, Any]:
    """Return an object, or the object in a JSON text, without its nulls."""
    if isinstance(value, str | bytes):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.MsgspecError, UnicodeError):
            raise BadRowError(f"{field} {short(value)} is not a JSON object") from None
    if isinstance(value, list) and all(isinstance(pair, tuple) for pair in value):
        value = dict(value)  # a Parquet map
    if not isinstance(value, dict):
        raise BadRowError(f"{field} is {kind_of(value)} ({short(value)}), not an object")
    return {str(name): inner for name, inner in value.items() if inner is not None}


def as_words(value: Any, field: str) -> str:
    """Return the text of a cell, or of everything in a list or an object."""
    if isinstance(value, str):
        text = value.strip()
    elif isinstance(value, list | tuple):
        return ", ".join(filter(None, (as_words(part, field) for part in value)))
    elif isinstance(value, dict):
        named = value.get("name")
        return as_words(list(value.values()) if named is None else named, field)
    elif isinstance(value, bytes):
        text = _utf8(value, field).strip()
    else:
        text = "" if is_blank(value) else str(value)
    if UNDECODABLE in text or not text.isprintable():
        _refuse_odd(text, field)
    return text


def kind_of(value: Any) -> str:
    """Name a value's type."""
    names = {
        dict: "an object",
        list: "a list",
        tuple: "a list",
        bool: "a boolean",
        bytes: "binary",
        str: "a text",
    }
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)


def _utf8(value: bytes, field: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadRowError(
            f"{field} is binary and not UTF-8 ({short(value)}): write the column as text"
        ) from None


def _refuse_odd(text: str, field: str) -> None:
    if UNDECODABLE in text:
        raise UndecodableError(
            f"{field} is not in the file's encoding: say which it is, as in --encoding cp1252 or --encoding latin-1"
        )
    if "\0" in text:
        raise BadRowError(f"{field} {short(text)} has a zero character: is it UTF-16? --encoding utf-16-le")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRowError(f"{field} {short(text)} has half a character (a lone surrogate)") from None
