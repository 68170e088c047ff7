"""Find the fields of the contract in a record of another shape: one dotted path to their part, and one to each."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import NoneType
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from consumers.config.formats import FIELDS, TopicConfig
from consumers.events.rejection import Rejected, found, word
from consumers.events.second_look import is_exact, json_name

OUTSIDE = "$."
"""Beginning of a path that starts at the whole value."""
NO_ENVELOPE = "missing (unwrap)"
"""What a detail says of a part that `unwrap` names and a record does not have."""
NAMED = 8
"""Most names that a detail tells of what is there instead."""
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
Path = tuple[str, ...]
Convert = Callable[[str, Any], Any]
"""Makes what a field should hold; the field's name comes first, for the words of a rejection."""
Check = Callable[[Any], bool]


class FieldMapping:
    """Picks the fields of one kind of topic."""

    def __init__(self, config: TopicConfig, names: tuple[str, ...], unwrap: Path) -> None:
        """names: of the fields to pick. unwrap: where they are."""
        self._unwrap = unwrap
        self._types: Mapping[str, str] = config.types
        self._plan: list[
            tuple[str, str | None, tuple[Path, ...], type, Convert | None, Check | None, Any]
        ] = []
        """Name, key (None for several paths or a longer one), paths, what it holds (`_Kind`), default."""
        self._places: dict[str, str] = {}
        for name in names:
            texts = config.paths(name)
            paths = tuple(self._path(text) for text in texts)
            (first, *others) = paths
            key = first[-1] if not others and first == (*unwrap, first[-1]) else None
            self._plan.append((name, key, paths, *_KINDS[name], config.defaults.get(name)))
            self._places[name] = ", ".join(texts)

    def _path(self, text: str) -> Path:
        """Return the path from the whole value on."""
        return _from_outside(self._unwrap, text)

    def part(self, value: Any) -> dict[str, Any] | None:
        """Return the part that holds the fields; None if it is null. Raises Rejected."""
        if not self._unwrap and type(value) is dict:
            return value
        inner = value
        for n, step in enumerate(self._unwrap):
            if not isinstance(inner, dict):
                raise Rejected("wrong_type", _not_an_object(self._unwrap[:n], inner))
            if step not in inner:
                raise Rejected("missing_field", _no_envelope(self._unwrap[: n + 1], inner))
            inner = inner[step]
            if inner is None:
                return None
        if not isinstance(inner, dict):
            raise Rejected("wrong_type", _not_an_object(self._unwrap, inner))
        return inner

    def fields(self, value: Any, part: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Return the fields of the contract, by name, and whether each certainly has the type that it must have.

        Those that are missing or null are left out. value: the whole value. part: what `part` returned for it. Raises
        Rejected.
        """
        picked, typed = {}, True
        for name, key, paths, usual, convert, check, default in self._plan:
            x = _first(value, paths) if key is None else part.get(key)
            if type(x) is not usual:
                if x is None:
                    x = default
                    if x is None:
                        continue
                if convert is not None:
                    x = convert(name, x)
                typed = typed and type(x) is usual
            if check is not None and typed:
                typed = check(x)
            picked[name] = x
        if self._types and isinstance(kind := picked.get("type"), str):
            picked["type"] = self._types.get(kind, kind)
        return picked, typed

    def unused(self, part: dict[str, Any]) -> set[str]:
        """Return the names in a part to which no path of a field leads."""
        depth = len(self._unwrap)
        paths = (path for plan in self._plan for path in plan[2])
        return set(part) - {path[depth] for path in paths if path[:depth] == self._unwrap}

    def place(self, name: str) -> str:
        """Return the paths of a field, as text."""
        return self._places[name]


def mapping_of(config: TopicConfig, kind: str) -> FieldMapping:
    """Return the mapping of a topic's values."""
    return FieldMapping(config, FIELDS[kind], _steps(config.unwrap))


def mapping_of_deleted(config: TopicConfig) -> FieldMapping:
    """Return the path of a deleted row in Debezium's envelope: `before`, beside `after`."""
    return FieldMapping(config, ("item_id",), deleted_part(config.unwrap))


def deleted_part(unwrap: str) -> Path:
    """Return where a deleted row is: `before`, beside the `after` that `unwrap` leads to."""
    return (*_steps(unwrap)[:-1], "before")


def mapping_of_key(config: TopicConfig) -> FieldMapping:
    """Return where the id is in a record's key. A key has no `after`: its fields are one level up, or at the top."""
    paths = config.paths("item_id")
    above = [".".join((*_steps(config.unwrap)[:-1], path)) for path in paths]
    return FieldMapping(TopicConfig(fields={"item_id": [*above, *paths]}), ("item_id",), ())


def steps(unwrap: str, text: str) -> Path:
    """Return the path of a field from the whole value on. unwrap: see `TopicConfig.unwrap`."""
    return _from_outside(_steps(unwrap), text)


def _from_outside(unwrap: Path, text: str) -> Path:
    if text.startswith(OUTSIDE):
        return tuple(text.removeprefix(OUTSIDE).split("."))
    return (*unwrap, *text.split("."))


def _steps(text: str) -> Path:
    return tuple(text.split(".")) if text else ()


def _first(value: Any, paths: tuple[Path, ...]) -> Any:
    """Return the value at the first path that has one."""
    for path in paths:
        x = value
        for step in path:
            x = x.get(step) if isinstance(x, dict) else None
            if x is None:
                break
        else:
            return x
    return None


def _not_an_object(path: Path, value: Any) -> str:
    return found(".".join(path) or "the record", json_name(value), "an object")


def _no_envelope(path: Path, found_there: dict[Any, Any]) -> str:
    """Say that a step of `unwrap` is missing, and what is there in its place."""
    names = [word(str(name)) for name in found_there]
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{'.'.join(path)}: {NO_ENVELOPE}; found {', '.join(names[:NAMED]) or 'nothing'}{rest}"


def _text(name: str, x: Any) -> Any:
    """Return an id as text: whole numbers in decimal, 12.0 as 12, bytes as UTF-8."""
    if isinstance(x, float) and is_exact(x):
        return str(int(x))
    if isinstance(x, int | UUID) and not isinstance(x, bool):
        return str(x)
    return _utf8(name, x)


def _utf8(name: str, x: Any) -> Any:
    if not isinstance(x, bytes):
        return x
    try:
        return x.decode()
    except UnicodeDecodeError:
        raise Rejected(
            "not_utf8", f"{name}: found bytes that are not UTF-8, in hexadecimal {word(x.hex())}"
        ) from None


def _texts(name: str, x: Any) -> Any:
    return [_text(name, one) for one in x] if isinstance(x, list | tuple) else x


def _milliseconds(_name: str, x: Any) -> Any:
    """Return a time in ms: of a date, or of text as RFC 3339 has it."""
    if isinstance(x, str):
        try:
            x = msgspec.convert(x, datetime)
        except msgspec.ValidationError:
            return x
    if not isinstance(x, datetime):
        return x
    aware = x if x.tzinfo is not None else x.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1000)


def _number(_name: str, x: Any) -> Any:
    """Return a number: of a decimal, or of text that is one, as some converters write decimals."""
    if isinstance(x, str):
        return float(x) if _NUMBER.fullmatch(x) else x
    return float(x) if isinstance(x, Decimal) else x


def _is_plain(context: dict[Any, Any]) -> bool:
    for name, value in context.items():  # noqa: SIM110  all() costs more than what is in it
        if type(name) is not str or type(value) is not str:
            return False
    return True


class _Kind(NamedTuple):
    """A kind of field: its usual type, the converter of other types, and what else must hold."""

    usual: type
    convert: Convert | None = None
    check: Check | None = None


_KINDS = {
    "type": _Kind(str, _utf8),
    "user_id": _Kind(str, _text),
    "item_id": _Kind(str, _text),
    "value": _Kind(float, _number, math.isfinite),
    "timestamp": _Kind(int, _milliseconds),
    "event_id": _Kind(str, _text),
    "context": _Kind(dict, None, _is_plain),
    "impression": _Kind(str, _text),
    "items": _Kind(tuple, _texts),  # of a list each id is looked at
    "list_ts": _Kind(int, _milliseconds),
    "title": _Kind(str),
    "text": _Kind(str),
    "available": _Kind(bool),
    "tags": _Kind(NoneType),  # always looked into, as are vectors
    "vectors": _Kind(NoneType),
}
