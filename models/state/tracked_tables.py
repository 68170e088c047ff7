"""Copy large tables of a state as a whole, or only their changes.

`live()` of a learner's parts returns a nested state that refers to their tables. A `TrackedTable` stands for each table
that is too large to be copied at every checkpoint. `full_state` turns this state into the one that `load` takes. The
results of `changes`, merged into an earlier state, make the present state: `models/state/merging.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import DirtyKeys, Marks

Rows_ = NDArray[np.int64]


class TrackedTable(msgspec.Struct):
    """One table. `kind` names the function in `merging.MERGE` that applies its changes."""

    touched: DirtyKeys
    kind: ClassVar[str] = ""

    def full(self) -> Any:
        """Return what a state holds of the table. It may share the table's memory."""
        raise NotImplementedError

    def changes(self, marks: Marks) -> Any:
        """Return the marked rows or keys as copies."""
        raise NotImplementedError


class Changed(NamedTuple):
    """Changes of a table, as read from a checkpoint."""

    kind: str
    what: Any


class Checkpointed:
    """An object with large tables in its state."""

    def live(self) -> Any:
        """Return the state with references to tables, not copies. Use it before the next event is learned."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Return a copy of everything that a later event can read."""
        state: dict[str, Any] = full_state(self.live())
        return state


class CheckpointedRows(Checkpointed):
    """An object whose tables share one set of marks, `written`. The owner of the rows may replace it."""

    written: DirtyKeys


def is_tensor(value: Any) -> bool:
    """Return whether the value is a tensor of torch. This does not load torch, which takes seconds."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def full_state(value: Any) -> Any:
    """Return the state without tracked tables. It shares no memory with the tables."""
    if isinstance(value, dict):
        return {key: full_state(item) for key, item in value.items()}
    if isinstance(value, list):
        return [full_state(item) for item in value]
    if isinstance(value, np.ndarray):
        return value.copy()
    if is_tensor(value):
        return value.clone()
    return full_state(value.full()) if isinstance(value, TrackedTable) else value


def parts(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], TrackedTable]]:
    """Return every tracked table of a live state, with its path."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in parts(item, (*path, key))]
    if isinstance(value, list):
        nested = ((n, item) for n, item in enumerate(value) if isinstance(item, dict | list | TrackedTable))
        return [found for n, item in nested for found in parts(item, (*path, n))]
    return [(path, value)] if isinstance(value, TrackedTable) else []


# Kinds of tables


class Rows(TrackedTable):
    """An array by row. Rows that were never written are zero."""

    values: NDArray[Any]
    kind: ClassVar[str] = "rows"

    def full(self) -> NDArray[Any]:
        """Return what a state holds of the table."""
        return self.values

    def changes(self, marks: Marks) -> dict[str, Any]:
        """Return the marked rows or keys as copies."""
        rows = _rows(marks, len(self.values))
        return {"rows": rows, "values": self.values[rows], "length": len(self.values)}


class Texts(TrackedTable):
    """A list of strings by row."""

    values: list[str]
    kind: ClassVar[str] = "texts"

    def full(self) -> list[str]:
        """Return what a state holds of the table."""
        return list(self.values)

    def changes(self, marks: Marks) -> dict[str, Any]:
        """Return the marked rows or keys as copies."""
        rows = _rows(marks, len(self.values)).tolist()
        return {"rows": rows, "values": [self.values[n] for n in rows], "length": len(self.values)}


class Order(TrackedTable):
    """An id table. touched: ids, marked with their rows.

    items: returns all ids with their rows, the one that was seen last at the end. ordered: returns some ids in that
    order.
    """

    free: list[int]
    items: Callable[[], Iterable[tuple[str, int]]]
    ordered: Callable[[Collection[str]], list[str]]
    kind: ClassVar[str] = "order"

    def full(self) -> dict[str, Any]:
        """Return what a state holds of the table."""
        items = list(self.items())
        return {"ids": [key for key, _ in items], "rows": [row for _, row in items], "free": list(self.free)}

    def changes(self, marks: Marks) -> dict[str, Any]:
        """Return the marked rows or keys as copies."""
        ids = self.ordered(marks.keys)
        rows = [marks.keys[key] for key in ids]
        return {"ids": ids, "rows": rows, "free": list(self.free), "gone": list(marks.deleted)}


class Named(TrackedTable):
    """Columns by name, in the order in which names came. columns: returns the values of some names, as arrays."""

    names: Callable[[], list[str]]
    columns: Callable[[list[str]], dict[str, NDArray[Any]]]
    kind: ClassVar[str] = "named"

    def full(self) -> dict[str, Any]:
        """Return what a state holds of the table."""
        names = self.names()
        return {"names": names, **self.columns(names)}

    def changes(self, marks: Marks) -> dict[str, Any]:
        """Return the marked rows or keys as copies."""
        names = list(marks.keys)
        return {"gone": list(marks.deleted), "names": names, **self.columns(names)}


class Ragged(TrackedTable):
    """Lists by row. touched: rows.

    filled: returns the rows with a list, ascending. columns: returns, of those of some rows that have a list, the rows
    as `users`, `lengths`, and under other names columns with the entries of all these lists in a row. size: returns
    about how many bytes all lists have.
    """

    filled: Callable[[], Rows_]
    columns: Callable[[Rows_], dict[str, NDArray[Any]]]
    size: Callable[[], int]
    kind: ClassVar[str] = "lists"

    def full(self) -> dict[str, NDArray[Any]]:
        """Return what a state holds of the table."""
        return self.columns(self.filled())

    def changes(self, marks: Marks) -> dict[str, Any]:
        """Return the marked rows as copies."""
        rows = marks.rows()
        return {"touched": rows, **self.columns(rows)}


class SparsePlaces(TrackedTable):
    """A large table of mostly empty places. touched: numbers of places.

    filled: returns the numbers of filled places, ascending. columns: returns the values of some places; the first
    column is negative at an empty place.
    """

    filled: Callable[[], Rows_]
    columns: Callable[[Rows_], dict[str, NDArray[Any]]]
    kind: ClassVar[str] = "places"

    def full(self) -> dict[str, NDArray[Any]]:
        """Return what a state holds of the table."""
        return self._at(self.filled())

    def changes(self, marks: Marks) -> dict[str, Any]:
        """Return the marked rows or keys as copies."""
        return self._at(marks.rows())

    def _at(self, at: Rows_) -> dict[str, Any]:
        return {"at": at, **self.columns(at)}


def _rows(marks: Marks, length: int) -> Rows_:
    rows = marks.rows()
    return rows[: np.searchsorted(rows, length)]
