"""Copy a state quickly while learning waits, and encode the copy when it is written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from models.state.dirty_keys import DirtyKeys, Marks
from models.state.tracked_tables import Changed, Ragged, Rows, SparsePlaces, TrackedTable, is_tensor, parts

Tensors = dict[str, np.ndarray[Any, Any]]


class Snapshot(msgspec.Struct):
    """A state that is split for writing. It holds copies, so learning may go on while it is written.

    increment: tables hold only what has changed since the snapshot before.
    """

    tensors: Tensors
    tree: Any
    increment: bool
    taken: list[DirtyKeys]

    @property
    def body(self) -> bytes:
        """Everything but the tensors, in MessagePack."""
        return msgspec.msgpack.encode(self.tree)

    def discard_dirty(self) -> None:
        """Note that it was written. The learning thread calls this."""
        for touched in self.taken:
            touched.discard()

    def restore_dirty(self) -> None:
        """Mark again what it holds, because it could not be written. The learning thread calls this."""
        for touched in self.taken:
            touched.restore()


def snapshot(state: dict[str, Any], increment: bool = False, copy: bool = True) -> Snapshot:
    """Copy a nested dict of arrays, tensors, plain values and parts. Without `copy` the result shares their arrays.

    increment: of parts, copy only what has changed. Raises TypeError for other values.
    """
    return _Split(increment, copy).run(state)


class _Split:
    """Splits one state. Parts may share marks, which can be taken only once."""

    def __init__(self, increment: bool, copy: bool) -> None:
        self.increment, self.copy = increment, copy
        self.tensors: Tensors = {}
        self.marks: dict[int, tuple[DirtyKeys, Marks]] = {}

    def run(self, state: dict[str, Any]) -> Snapshot:
        tree = self.split(state)
        return Snapshot(self.tensors, tree, self.increment, [touched for touched, _ in self.marks.values()])

    def split(self, value: Any) -> Any:  # noqa: PLR0911  one a kind of leaf
        if isinstance(value, dict):
            if not all(isinstance(key, str | int) for key in value):
                raise TypeError("keys of a state are strings or whole numbers")  # others would not come back
            return {"m": [[key, self.split(item)] for key, item in value.items()]}
        if isinstance(value, list | tuple):
            return _plain_list(value) or {"l": [self.split(item) for item in value]}
        if isinstance(value, TrackedTable):
            return self.part(value)
        if is_tensor(value):
            return {"torch": self.array(value.detach().cpu().numpy())}
        if isinstance(value, np.ndarray):
            return {"array": self.array(value)}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            return {"int": str(value)}  # random generators hold 128-bit integers
        if not isinstance(value, None | bool | int | float | str | bytes):
            raise TypeError(f"a state cannot hold a {type(value).__name__}")
        return value

    def array(self, value: np.ndarray[Any, Any]) -> str:
        name = str(len(self.tensors))
        self.tensors[name] = value.copy(order="C") if self.copy else np.asarray(value, order="C")
        return name

    def part(self, value: TrackedTable) -> Any:
        if id(value.touched) not in self.marks:
            self.marks[id(value.touched)] = (value.touched, value.touched.take())
        marks = self.marks[id(value.touched)][1]
        if marks.all or not self.increment:
            return self.split(value.full())
        return {"c": [value.kind, self.split(value.changes(marks))]}


def _plain_list(values: Sequence[Any]) -> dict[str, list[Any]] | None:
    """Return a list of plain values, or of lists of them, in its split form; None for others. It may be long."""
    if _plain(values):
        return {"p": list(values)}
    if set(map(type, values)) <= {list, tuple} and _plain(list(chain.from_iterable(values))):
        return {"pp": [list(one) for one in values]}
    return None


def _plain(values: Sequence[Any]) -> bool:
    # Exact types: numpy's float64 and str_ are subclasses that MessagePack does not take.
    kinds = set(map(type, values))
    if int in kinds:
        whole = [value for value in values if type(value) is int] if len(kinds) > 1 else values
        if min(whole) < -(2**63) or max(whole) >= 2**63:
            return False
    return kinds <= _PLAIN


_PLAIN = frozenset({type(None), bool, int, str, bytes, float})


def joined(value: Any, tensors: Tensors) -> Any:  # noqa: PLR0911
    """Return the state from its split form. It shares the tensors. Raises ValueError."""
    if not isinstance(value, dict):
        return value
    ((tag, content),) = value.items()
    match tag:
        case "m":
            return {key: joined(item, tensors) for key, item in content}
        case "l":
            return [joined(item, tensors) for item in content]
        case "p" | "pp":
            return content
        case "torch":
            import torch  # noqa: PLC0415  (takes seconds, and most commands hold no tensor)

            return torch.from_numpy(tensors[content])
        case "array":
            return tensors[content]
        case "int":
            return int(content)
        case "c":
            return Changed(content[0], joined(content[1], tensors))
    raise ValueError(f"unknown tag {tag!r}")


def table_bytes(state: dict[str, Any]) -> int:
    """Return about how many bytes a full snapshot of a live state copies."""
    found = [part for _, part in parts(state)]
    rows = sum(part.values.nbytes for part in found if isinstance(part, Rows))
    return rows + sum(part.size() for part in found if isinstance(part, Ragged))


def _at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        if isinstance(tree, list):
            tree = tree[key] if isinstance(key, int) and key < len(tree) else None
        else:
            tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def mark_clean(live: dict[str, Any], loaded: dict[str, Any]) -> None:
    """Clear the marks of tables of `live` that fit the saved state `loaded`, from which they were just loaded."""
    fitting: dict[int, tuple[DirtyKeys, bool]] = {}
    for path, part in parts(live):
        held = _at(loaded, path)
        fits = held is not None
        if isinstance(part, Rows):
            same = isinstance(held, np.ndarray) and held.shape == part.values.shape
            fits = same and held.dtype == part.values.dtype
        elif isinstance(part, Ragged | SparsePlaces):  # a column of an early version may have another type
            columns = part.columns(np.zeros(0, np.int64))
            fits = isinstance(held, dict) and all(
                name in held and held[name].dtype == column.dtype for name, column in columns.items()
            )
        earlier = fitting.get(id(part.touched), (part.touched, True))[1]
        fitting[id(part.touched)] = (part.touched, earlier and fits)
    for touched, fits in fitting.values():
        if fits:
            touched.clear()
