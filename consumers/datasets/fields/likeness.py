"""Recognise a column that may hold ratings although no option names it: else its rows would become clicks."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

_GRADES = 21  # number of different half stars from 0 to 10
_NOT_RATINGS = re.compile(
    r"(id|key|code|no|nr|num|number|index|idx|count|cnt|year|month|day|hour|minute|weekday|week|age|zip|lat|lon|lng|"
    r"latitude|longitude|price|cost|amount|quantity|qty|position|pos|rank|page|session|duration|seconds|length|size)$|"
    r"^(unnamed.*|f\d+|v\d+|price.*|num.*|n|x|i)$|^$"
)
_VERDICTS = re.compile(
    r"recommend|like|click|purchas|bought|positive|label|lov|favou?rite|feedback|conver|sentiment|approv"
)
_WORDS = {"true", "false", "t", "f", "yes", "no", "y", "n"}


def looks_like_rating(name: str, values: Sequence[Any]) -> str | None:
    """Return what the column holds and what to say about it, if it may hold ratings; else None.

    Numbers with few different values may be ratings, unless the column's name says otherwise. So may yes and no under a
    name such as `recommended`. `values`: the first values of the column.
    """
    lower = re.sub(r"[^a-z0-9]", "", name.lower())
    held = [v for v in values if v is not None and v != "" and not (isinstance(v, float) and math.isnan(v))]
    if len(set(map(str, held))) < 2:
        return None
    if all(isinstance(v, bool) or (isinstance(v, str) and v.strip().lower() in _WORDS) for v in held):
        no, *_, yes = sorted({str(v).strip() for v in held})
        as_type = f"--map type={name} --type {yes}=rating:5,{no}=rating:1"
        return f"it holds {no} and {yes}. If it is: {as_type}" if _VERDICTS.search(lower) else None
    if _NOT_RATINGS.search(lower):
        return None
    numbers = [_number(v) for v in held]
    if any(n is None or not abs(n) <= 100 for n in numbers):
        return None
    different = sorted({n for n in numbers if n is not None})
    repeats = len(different) < len(numbers) or len(numbers) <= 5  # a few rows prove little
    if len(different) > _GRADES or not repeats:
        return None
    numbers_held = f"numbers from {different[0]:g} to {different[-1]:g}"
    as_flag = f", or --map type={name} --type 1=click,0=skip" if different == [0, 1] else ""
    return f"it holds {numbers_held}. If it is: --map rating={name}{as_flag}"


def _number(value: Any) -> float | None:
    try:
        return float(str(value).replace(",", "."))
    except ValueError:
        return None
