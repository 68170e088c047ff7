"""Mark which rows or keys of a table were written since they were last saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.state.growing import room


class Marks(msgspec.Struct):
    """What has to be saved. keys: written since the last save, in the order of their first mark, with marked values.

    deleted: deleted keys. A key that was deleted and created again is in both. all: everything has to be saved.
    """

    all: bool = True
    keys: dict[Any, Any] = {}
    deleted: dict[Any, None] = {}
    bits: NDArray[np.uint8] | None = None
    """More written keys, which are numbers: a bit each, the lowest of a byte first."""
    _rows: NDArray[np.int64] | None = None

    def rows(self) -> NDArray[np.int64]:
        """Return written and deleted keys, which are numbers, ascending. Cached, because several tables share them."""
        if self._rows is None:
            keys = self.keys.keys() | self.deleted.keys() if self.deleted else self.keys
            self._rows = np.fromiter(keys, np.int64, len(keys))
            if self.bits is None:
                self._rows.sort()
            else:
                written = np.flatnonzero(np.unpackbits(self.bits, bitorder="little"))
                self._rows = np.union1d(self._rows, written) if len(self._rows) else written
        return self._rows


class DirtyKeys:
    """Marks of one table, set by the code that writes to it. Tables with the same rows may share them.

    At first everything is marked, because nothing of a new table is saved. Until the first `take` no key is noted, so
    marks cost nothing if nothing is saved.

    >>> marks = DirtyKeys()
    >>> marks.take().all
    True
    >>> marks.add("a"), marks.add("b"), marks.drop("a")
    (None, None, None)
    >>> taken = marks.take()
    >>> list(taken.keys), list(taken.deleted)
    (['b'], ['a'])
    """

    def __init__(self) -> None:
        self._marks = Marks()
        self._taken = Marks()

    def everything(self) -> None:
        """Mark the whole table."""
        self._marks = Marks()

    def add(self, key: Any, value: Any = None) -> None:
        """Mark a key as written. value: kept with the mark."""
        if not self._marks.all:
            self._marks.keys[key] = value

    def update(self, keys: Iterable[Any]) -> None:
        """Mark many keys. A mapping's values are kept with its keys. A dict or list is fastest."""
        if not self._marks.all:
            self._marks.keys.update(keys if isinstance(keys, Mapping) else dict.fromkeys(keys))

    def bits(self, keys: int) -> NDArray[np.uint8]:
        """Return an array with a bit for each of the keys 0 … `keys` - 1: compiled code marks a key by setting its bit.

        The array is good until the next `take`.
        """
        marks, size = self._marks, (keys + 7) // 8
        if marks.bits is None or len(marks.bits) < size:
            held = np.zeros(0, np.uint8) if marks.bits is None else marks.bits
            marks.bits = np.zeros(room(size, len(held)), np.uint8)
            marks.bits[: len(held)] = held
        return marks.bits

    def drop(self, key: Any) -> None:
        """Mark a key as deleted."""
        if not self._marks.all:
            self._marks.keys.pop(key, None)
            self._marks.deleted[key] = None

    def take(self) -> Marks:
        """Return all marks and clear them. They count as saved unless `restore` is called."""
        self._taken, self._marks = self._marks, Marks(all=False)
        return self._taken

    def restore(self) -> None:
        """Restore the marks taken last, which could not be saved."""
        taken, now = self._taken, self._marks
        for key in now.deleted:
            taken.keys.pop(key, None)
        self._marks = Marks(
            taken.all or now.all,
            taken.keys | now.keys,
            taken.deleted | now.deleted,
            _either(taken.bits, now.bits),
        )
        if self._marks.all:
            self.everything()

    def discard(self) -> None:
        """Discard the marks taken last, which are saved."""
        self._taken = Marks()

    def clear(self) -> None:
        """Clear all marks: everything was just loaded from a checkpoint."""
        self._marks = Marks(all=False)


def _either(one: NDArray[np.uint8] | None, other: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
    """Return the bits that are set in one of two arrays."""
    if one is None or other is None:
        return other if one is None else one
    short, long = sorted((one, other), key=len)
    bits = long.copy()
    bits[: len(short)] |= short
    return bits
