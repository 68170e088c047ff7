"""Read JSON as rows: one object a line, an array, objects over many lines, or Python dicts a line."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from consumers.datasets.fields.columns import names_an_id
from consumers.datasets.fields.row_parser import Row
from consumers.datasets.formats.text_stream import TextStream
from consumers.datasets.problems import TableError

Object = dict[str, Any]

_SAMPLE = 200  # objects from whose keys the columns are made
_LARGEST_OBJECT = 1 << 26  # characters


class JsonRows:
    """The objects of a JSON file. After reading, `cut` says why the file was not read to its end, or None."""

    def __init__(self, stream: TextStream, head: str) -> None:
        """Look at `head`, the file's beginning. Raises TableError for JSON that is no table."""
        self.stream = stream
        self.cut: str | None = None
        head = head.lstrip()
        self._objects, what = self._form(head)
        if twice := _key_twice(head):
            raise TableError(f"{stream.path}: an object has the key {twice!r} twice; leave one of them")
        self.description = f"{what}, {stream.description}"
        self.names, self.inner = self._columns(stream.path)

    @property
    def position(self) -> int:
        return self.stream.position

    def rows(self, wanted: Sequence[str | None]) -> Iterator[tuple[int, Row | str]]:
        """Yield (line, values of the `wanted` keys), or (line, what is wrong). `user.id`: the id inside of user."""
        keys = [name or "\0" for name in wanted]
        paths = {key: key.split(".") for key in keys if "." in key}
        self.cut = None
        line = 0
        for line, found in self._objects():
            if isinstance(found, str):
                yield line, found
            elif paths:
                yield line, tuple(_inside(found, paths.get(key, [key]), key) for key in keys)
            else:
                yield line, tuple(map(found.get, keys))
        self.cut = self.cut or self.stream.cut
        if self.cut is not None:
            yield line + 1, f"unreadable from here on: {self.cut}"

    def _form(self, head: str) -> tuple[Callable[[], Iterator[tuple[int, Object | str]]], str]:
        if head.startswith("["):
            return self._values, "a JSON array"
        first, *more = head.split("\n", 20)
        if any(
            isinstance(_decoded(line), dict) for line in (first, *(more[:-1] if first.strip() != "{" else ()))
        ):
            return self._lines, "JSON Lines"
        if isinstance(_python_dict(first), dict):
            return self._python_lines, "Python dicts, one a line"
        return self._values, "JSON objects over several lines"

    def _columns(self, path: Path) -> tuple[list[str], list[str]]:
        """Return (keys of the first objects, keys inside their objects such as `user.id`)."""
        names: dict[str, None] = {}
        inner: dict[str, None] = {}
        good: list[Object] = []
        for n, (_, found) in enumerate(self._objects()):
            if n == _SAMPLE:
                break
            if isinstance(found, str):
                continue
            good.append(found)
            for key, value in found.items():
                names[key] = None
                if isinstance(value, dict) and key not in ("context", "vectors"):
                    inner.update(dict.fromkeys(f"{key}.{name}" for name in value))
        if len(good) == 1:
            _refuse_wrapped(path, good[0])
        return list(names), list(inner)

    def _lines(self) -> Iterator[tuple[int, Object | str]]:
        for line, text in enumerate(self.stream.lines(), 1):
            found = _decoded(text)
            if isinstance(found, dict):
                yield line, found
            elif text.strip():
                yield line, found if isinstance(found, str) else f"{_kind(found)} where an object is expected"

    def _python_lines(self) -> Iterator[tuple[int, Object | str]]:
        for line, text in enumerate(self.stream.lines(), 1):
            if text.strip():
                found = _python_dict(text)
                yield line, found if isinstance(found, dict) else "not a Python dict"

    def _values(self) -> Iterator[tuple[int, Object | str]]:
        """Yield value after value, whether in lines or in an array.

        Outside lines, the object's number stands for the line.
        """
        decode = json.JSONDecoder().raw_decode
        text, number, tried = "", 0, 0
        for block in self.stream.blocks():
            text += block
            if len(text) < tried:  # read twice as much before trying again, so that reading is not quadratic
                continue
            at = 0
            while (at := _next_value(text, at)) < len(text):
                try:
                    value, end = decode(text, at)
                except (ValueError, RecursionError):
                    break
                if end == len(text) and not isinstance(value, dict | list):
                    break  # the number may continue
                at, number = end, number + 1
                yield (
                    number,
                    value if isinstance(value, dict) else f"{_kind(value)} where an object is expected",
                )
            text = text[at:]
            tried = 2 * len(text)
            if len(text) > _LARGEST_OBJECT:
                break
        if text.strip(" \t\n,]") and self.stream.cut is None:
            try:
                decode(text.lstrip(" \t\n,"))
                self.cut = "it is not JSON"
            except json.JSONDecodeError as error:
                self.cut = f"it is not JSON ({error.msg})"
            except RecursionError:
                self.cut = "it is nested too deep"


class _Twice(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> Object:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return found


def _key_twice(head: str) -> str | None:
    """Return a key that an object at the file's beginning has twice: JSON readers silently keep the last."""
    decode, at = json.JSONDecoder(object_pairs_hook=_once).raw_decode, 0
    try:
        while (at := _next_value(head, at)) < len(head):
            _, at = decode(head, at)
    except _Twice as twice:
        return str(twice)
    except (ValueError, RecursionError):
        pass
    return None


def _next_value(text: str, at: int) -> int:
    """Return the position of the next value, past blanks, commas and brackets of the outermost array."""
    while at < len(text) and text[at] in " \t\n,[]":
        at += 1
    return at


_decode = msgspec.json.Decoder().decode


def _decoded(text: str) -> Any:
    """Return the value, or what is wrong with it.

    NaN and lone surrogates, which are not JSON, pass: a row that does not need them is good.
    """
    try:
        return _decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        pass
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        return f"not a JSON object: {error}"


def _python_dict(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _inside(found: Object, path: list[str], key: str) -> Any:
    if key in found:
        return found[key]
    value: Any = found
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _refuse_wrapped(path: Path, found: Object) -> None:
    """Raise TableError for a table inside one object: by key, or by column as pandas writes it."""
    for key, value in found.items():
        rows = isinstance(value, list) and value and isinstance(value[0], dict)
        if rows and not any(map(names_an_id, found)):
            command = f"jq -c '.[\"{key}\"][]' {path} > rows.jsonl"
            raise TableError(f"{path}: the rows are in the list {key!r}; take it out: {command}")
    if len(found) > 1 and all(isinstance(value, list | dict) for value in found.values()):
        raise TableError(
            f'{path}: this JSON holds columns, not rows; make it JSON Lines: python -c "import pandas; '
            f"pandas.read_json('{path}').to_json('rows.jsonl', orient='records', lines=True)\""
        )
