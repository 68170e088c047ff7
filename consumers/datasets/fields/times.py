"""Read a cell as a time in ms since the epoch. A cell that can be read in two ways is refused, never guessed."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from consumers.datasets.options import DateOrder
from consumers.datasets.problems import BadRowError

_FIRST_MS = 10**11  # the contract's earliest timestamp; smaller numbers are seconds
_UNITS = ((10**14, 1.0), (10**17, 1e-3))  # ms, µs; above that ns
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_COMPACT = re.compile(r"(19|20)\d{6}(\d{6})?")  # 20200131 or 20200131235959
_NUMERIC_DATE = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?!\d)(.*)", re.DOTALL)
_YEAR_FIRST = re.compile(r"(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?!\d)(.*)", re.DOTALL)
_ZONE_WORD = re.compile(r"(.*\d)\s*(Z|UTC|GMT)(([+-])(\d{1,2})(:?\d\d)?)?", re.IGNORECASE | re.DOTALL)
_OFFSET = re.compile(r"(.*:\d\d(?:[.,]\d+)?) *([+-]\d\d(?::?\d\d)?)", re.DOTALL)
_TWELVE_HOURS = re.compile(r"(.*?)[ T](\d{1,2}:\d\d(?::\d\d)?) ?([AaPp]\.?[Mm]\.?)", re.DOTALL)
_SHORT_CLOCK = re.compile(r"[ T]+(\d):")
_CLOCK = re.compile(
    r"[ T:](\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?)(?: ?([AP]\.?M\.?))?(?: ?(UTC|GMT|Z|[+-]\d\d:?\d\d))?", re.I
)
_WEEKDAY = re.compile(r"^(mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)? ", re.I)
_NAMED_MONTH = (
    "%d %b %Y",
    "%d %B %Y",
    "%b %d %Y",
    "%B %d %Y",
    "%d-%b-%Y",
    "%d/%b/%Y",
    "%Y %b %d",
    "%Y-%b-%d",
)


def parse_time(value: Any, latest: int, order: DateOrder | None = None) -> int:
    """Return the time in ms: seconds, ms, µs or ns by their size, or a date (UTC unless it names another zone).

    `order` says how 03/04/2011 is meant. Raises BadRowError.
    """
    try:
        at = int(_milliseconds(value, order))
    except (TypeError, ValueError, OverflowError):
        raise BadRowError(
            f"timestamp {short(value)} is neither a number nor a date such as 2024-01-31T10:00:00Z"
        ) from None
    if at < _FIRST_MS:
        raise BadRowError(f"timestamp {short(value)} is before 1973")
    if at > latest:
        raise BadRowError(f"timestamp {short(value)} is in the future")
    return at


def date_order(values: Iterable[Any], wanted: DateOrder | None) -> DateOrder | None:
    """Return the order of dates such as 31/12/2011, from those with a number above 12; or `wanted`, if given.

    Raises ValueError, with an example, if none has such a number, or if both orders occur.
    """
    if wanted is not None:
        return wanted
    example = days_first = months_first = ""
    for value in values:
        found = _NUMERIC_DATE.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            continue
        example = example or value.strip()
        if int(found[1]) > 12:
            days_first = value.strip()
        if int(found[3]) > 12:
            months_first = value.strip()
    if days_first and months_first:
        raise ValueError(f"{days_first} has the day first, {months_first} the month")
    if example and not (days_first or months_first):
        raise ValueError(f"{example} can be read in two ways")
    return "dmy" if days_first else "mdy" if months_first else None


def has_numeric_date(values: Iterable[Any]) -> bool:
    """Return whether some are dates such as 03/04/2011, whose order must be known."""
    return any(isinstance(v, str) and _NUMERIC_DATE.fullmatch(v.strip()) for v in values)


def short(value: Any) -> str:
    """Cut a value to a length that fits into a message."""
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _milliseconds(value: Any, order: DateOrder | None) -> float:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, datetime | date):
        return _of_date(datetime.fromisoformat(str(value)))
    if not isinstance(value, str | int):
        return _of_number(value)
    text = str(value).strip()
    if len(text) in (8, 14) and _COMPACT.fullmatch(text):
        return _of_date(datetime.strptime(text, "%Y%m%d%H%M%S" if len(text) == 14 else "%Y%m%d"))  # noqa: DTZ007
    if text.isdecimal():
        return _of_number(int(text))
    if _NUMBER.fullmatch(text):
        return _of_number(float(text))
    return _of_date(_date(text, order))


def _of_number(number: Any) -> float:
    if isinstance(number, int) and number >= 10**14:  # integers stay exact where floats do not
        return number // (1000 if number < 10**17 else 10**6)
    number = float(number)
    return float(
        number * (1000 if number < _FIRST_MS else next((s for top, s in _UNITS if number < top), 1e-6))
    )


def _of_date(when: datetime) -> float:
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000


def _date(text: str, order: DateOrder | None) -> datetime:
    """Return the date of a text. Raises ValueError if it is no date, or has two readings."""
    text = re.sub(r"\[[^\]]*\]$", "", text)  # 2011-12-03T10:15:30+01:00[Europe/Paris]: the offset is enough
    if numeric := _NUMERIC_DATE.fullmatch(text):
        if order is None:
            raise ValueError(text)
        day, month = (numeric[1], numeric[3]) if order == "dmy" else (numeric[3], numeric[1])
        text = f"{numeric[4]}-{int(month):02}-{int(day):02}{numeric[5]}"
    elif year_first := _YEAR_FIRST.fullmatch(text):
        text = f"{year_first[1]}-{int(year_first[2]):02}-{int(year_first[3]):02}{year_first[4]}"
    try:
        return datetime.fromisoformat(_iso(text))
    except ValueError:
        return _with_a_name(text)


def _iso(text: str) -> str:
    """Rewrite zone words and 12-hour clocks as ISO 8601."""
    if (zone := _ZONE_WORD.fullmatch(text)) is not None:
        offset = f"{zone[4]}{int(zone[5]):02}{(zone[6] or '00').strip(':')}" if zone[3] else "+0000"
        text = zone[1] + ("" if ":" not in zone[1] else offset)
    elif (zoned := _OFFSET.fullmatch(text)) is not None:
        text = zoned[1] + zoned[2]
    if (twelve := _TWELVE_HOURS.fullmatch(text)) is not None:
        clock = twelve[2] if twelve[2].count(":") == 2 else f"{twelve[2]}:00"
        half = twelve[3].replace(".", "").upper()
        text = f"{twelve[1]} {datetime.strptime(f'{clock} {half}', '%I:%M:%S %p'):%H:%M:%S}"  # noqa: DTZ007
    return _SHORT_CLOCK.sub(r" 0\1:", text)


def _with_a_name(text: str) -> datetime:
    """Read dates that name the month, as mail, logs and spreadsheets write them."""
    clock = _CLOCK.search(text)
    if clock is None:
        return datetime.fromisoformat(_named_day(text))
    day = _named_day(text[: clock.start()] + text[clock.end() :])
    return datetime.fromisoformat(_iso(f"{day} {clock[1]} {clock[2] or ''}".rstrip() + (clock[3] or "")))


@functools.lru_cache(maxsize=10_000)
def _named_day(text: str) -> str:
    """Return the day as YYYY-MM-DD. It is cached: files have few days and many rows."""
    plain = _WEEKDAY.sub("", re.sub(r"[\s,]+", " ", text).strip())
    for pattern in _NAMED_MONTH:
        with contextlib.suppress(ValueError):
            return f"{datetime.strptime(plain, pattern):%Y-%m-%d}"  # noqa: DTZ007
    raise ValueError(text)
