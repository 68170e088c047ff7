"""Parse the options that say how a table is read."""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterable
from typing import Literal

import msgspec

from consumers.errors import Stop

DateOrder = Literal["dmy", "mdy"]

FIELDS = (
    "user_id", "item_id", "domain", "rating", "timestamp", "type", "event_id", "context",
    "title", "text", "genres", "categories", "features", "description", "available", "vectors",
)  # fmt: skip
"""The fields that `--map` can name."""


class Meaning(msgspec.Struct, frozen=True):
    """What an event type stands for. `value`: the rating, if the type alone decides it."""

    kind: Literal["click", "rating", "skip"]
    value: float | None = None


class ReadOptions(msgspec.Struct, frozen=True):
    """Options about the files. What they leave open is found in the files, or asked for."""

    columns: dict[str, str] = {}
    """From our field to the file's column: a name, or a number from 0; "" leaves the field out."""
    types: dict[str, Meaning] = {}
    encoding: str | None = None
    delimiter: str | None = None
    rating_range: tuple[float, float] | None = None
    date_order: DateOrder | None = None
    as_clicks: bool = False
    """Every row is a click; ratings are not read."""
    no_time: bool = False
    """Rows have no time, so they get the present time."""


def parse_columns(pairs: Iterable[str]) -> dict[str, str]:
    """Parse `user_id=buyer` into {"user_id": "buyer"}. Raises Stop."""
    columns = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not equals:
            raise Stop(f"--map {pair}: write FIELD=COLUMN, such as user_id=buyer")
        if field not in FIELDS:
            raise Stop(f"--map {pair}: cannot map {field}; the fields are {', '.join(FIELDS)}")
        if not column and field in ("user_id", "item_id", "rating", "timestamp"):
            instead = {"rating": "; --as-clicks reads no ratings", "timestamp": "; --no-time reads no times"}
            raise Stop(f"--map {pair}: name a column{instead.get(field, '')}")
        columns[field] = column
    return columns


def parse_types(texts: Iterable[str]) -> dict[str, Meaning]:
    """Parse `view=click,purchase=rating:5,cart=skip` into a mapping with names in lower case. Raises Stop."""
    types = {}
    for pair in (part for text in texts for part in text.split(",")):
        name, _, meaning = pair.partition("=")
        kind, colon, number = meaning.strip().partition(":")
        try:
            value = float(number) if colon else None
        except ValueError:
            value = math.nan
        if (
            not name.strip()
            or kind not in ("click", "rating", "skip")
            or (value is not None and kind != "rating")
        ):
            raise Stop(
                f"--type {pair}: write NAME=click, NAME=rating (the rating column tells it), NAME=rating:5 or NAME=skip"
            )
        if value is not None and not math.isfinite(value):
            raise Stop(f"--type {pair}: {number!r} is not a number")
        types[name.strip().lower()] = Meaning(kind, value)  # type: ignore[arg-type]
    return types


def parse_range(text: str | None) -> tuple[float, float] | None:
    """Parse `1:5` into (1.0, 5.0). Raises Stop."""
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError as error:
        raise Stop(f"--rating-range {text}: write LO:HI, such as 1:5") from error
    if not low < high:
        raise Stop(f"--rating-range {text}: LO must be below HI")
    return low, high


def parse_encoding(text: str | None) -> str | None:
    """Return the codec's own name. Raises Stop for an unknown one."""
    if text is None:
        return None
    try:
        codec = codecs.lookup(text)
        "".encode(text)  # some codecs, such as base64, do not encode text
    except LookupError as error:
        raise Stop(f"--encoding {text}: unknown; write utf-8, utf-16, latin-1, cp1252 or the like") from error
    return codec.name


def parse_delimiter(text: str | None) -> str | None:
    """Return the delimiter: one character or several; `\\t`, `tab` and `space` are names. Raises Stop."""
    if text is None:
        return None
    named = {"\\t": "\t", "tab": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}
    delimiter = named.get(text, text)
    if not delimiter or '"' in delimiter or "\n" in delimiter or "\r" in delimiter:
        raise Stop(f"--delimiter {text!r}: write one character or several, such as ';', '|', '::' or tab")
    return delimiter
