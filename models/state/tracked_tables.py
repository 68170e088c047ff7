"""Large tables inside a state: copied as a whole, or only what was touched.

`live()` of a learner's parts gives a nested state that points at their tables; a `Part` stands for each table that is
too large to be copied at every checkpoint. `whole` makes of it the state that `load` takes. What `changes` gives, and
a state from before them, make up the state of now: `models/merging.py`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from itertools import islice
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from models.state.dirty_keys import Marks, Touched

Rows_ = NDArray[np.int64]


class Part(msgspec.Struct):
    """One table. `kind` names the function of `merging.MERGE` that takes its changes up."""

    touched: Touched
    kind: ClassVar[str] = ""

    def whole(self) -> Any:
        """What a state holds of it; may point at the table itself."""
        raise NotImplementedError

    def changes(self, marks: Marks) -> Any:
        """What is marked, with nothing of the table itself in it."""
        raise NotImplementedError


class Changed(NamedTuple):
    """Changes of a table, in a state that was read."""

    kind: str
    what: Any


class Live:
    """Something with large tables in its state."""

    def live(self) -> Any:
        """The same with parts, and pointing at the tables: to be used up before anything is learned."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Everything that a later event can read, copied."""
        state: dict[str, Any] = whole(self.live())
        return state


class LiveRows(Live):
    """The same, where `written` marks the rows of all its parts; whoever gives out the rows may hand in its own."""

    written: Touched


def whole(value: Any) -> Any:
    """The state without parts, nothing in it shared with the tables."""
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, torch.Tensor):
        return value.clone()
    return whole(value.whole()) if isinstance(value, Part) else value


def parts(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Part]]:
    """Every part of a live state, with its path."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in parts(item, (*path, key))]
    if isinstance(value, list):
        nested = ((n, item) for n, item in enumerate(value) if isinstance(item, dict | list | Part))
        return [found for n, item in nested for found in parts(item, (*path, n))]
    return [(path, value)] if isinstance(value, Part) else []


# Kinds of tables


class Rows(Part):
    """An array by row. Rows that were never written are zero."""

    values: NDArray[Any]
    kind: ClassVar[str] = "rows"

    def whole(self) -> NDArray[Any]:
        return self.values

    def changes(self, marks: Marks) -> dict[str, Any]:
        rows = _rows(marks, len(self.values))
        return {"rows": rows, "values": self.values[rows], "length": len(self.values)}


class Texts(Part):
    """A list of strings by row."""

    values: list[str]
    kind: ClassVar[str] = "texts"

    def whole(self) -> list[str]:
        return list(self.values)

    def changes(self, marks: Marks) -> dict[str, Any]:
        rows = _rows(marks, len(self.values)).tolist()
        return {"rows": rows, "values": [self.values[n] for n in rows], "length": len(self.values)}


class Order(Part):
    """An id table: what was touched since are the last keys of the dict. touched: ids, marked with their rows."""

    rows: dict[str, int]
    free: list[int]
    kind: ClassVar[str] = "order"

    def whole(self) -> dict[str, Any]:
        return {"ids": list(self.rows), "rows": list(self.rows.values()), "free": list(self.free)}

    def changes(self, marks: Marks) -> dict[str, Any]:
        ids = list(islice(reversed(self.rows), len(marks.keys)))[::-1]
        rows = [marks.keys[key] for key in ids]
        return {"ids": ids, "rows": rows, "free": list(self.free), "gone": list(marks.gone)}


class Named(Part):
    """Columns by name, in the order in which names came. columns: the values of some names, as arrays."""

    names: Callable[[], list[str]]
    columns: Callable[[list[str]], dict[str, NDArray[Any]]]
    kind: ClassVar[str] = "named"

    def whole(self) -> dict[str, Any]:
        names = self.names()
        return {"names": names, **self.columns(names)}

    def changes(self, marks: Marks) -> dict[str, Any]:
        names = list(marks.keys)
        return {"gone": list(marks.gone), "names": names, **self.columns(names)}


class Lists(Part):
    """A list of int64 for some users' rows."""

    values: dict[int, array[int]]
    kind: ClassVar[str] = "lists"

    def whole(self) -> dict[str, NDArray[np.int64]]:
        return packed(self.values, sorted(self.values))

    def changes(self, marks: Marks) -> dict[str, Any]:
        touched = sorted(marks.keys.keys() | marks.gone.keys())
        return {"touched": np.array(touched, np.int64), **packed(self.values, touched)}


class Places(Part):
    """A large table of mostly empty places. filled: the numbers of those that are not, ascending; columns: what is at
    some of them, the first column negative where there is nothing. touched: numbers of places."""

    filled: Callable[[], Rows_]
    columns: Callable[[Rows_], dict[str, NDArray[Any]]]
    kind: ClassVar[str] = "places"

    def whole(self) -> dict[str, NDArray[Any]]:
        return self._at(self.filled())

    def changes(self, marks: Marks) -> dict[str, Any]:
        return self._at(marks.rows())

    def _at(self, at: Rows_) -> dict[str, Any]:
        return {"at": at, **self.columns(at)}


def _rows(marks: Marks, length: int) -> Rows_:
    rows = marks.rows()
    return rows[: np.searchsorted(rows, length)]


def packed(values: dict[int, array[int]], users: list[int]) -> dict[str, NDArray[np.int64]]:
    """Those of `users` who have a list: users (n,), lengths (n,), and their hashes one after the other."""
    held = [user for user in users if user in values]
    lists = [values[user] for user in held]
    return {
        "users": np.array(held, np.int64),
        "lengths": np.fromiter(map(len, lists), np.int64, len(lists)),
        "hashes": np.frombuffer(b"".join(lists), np.int64),
    }


def unpacked(state: dict[str, NDArray[np.int64]]) -> dict[int, array[int]]:
    ends, data = np.cumsum(state["lengths"]) * 8, state["hashes"].tobytes()
    return {
        user: array("q", data[end - 8 * length : end])
        for user, length, end in zip(
            state["users"].tolist(), state["lengths"].tolist(), ends.tolist(), strict=True
        )
    }
