"""Which rows or keys of a table were written since they were last saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray


class Marks(msgspec.Struct):
    """What has to be saved: `keys`, in the order of their first mark, and `gone`, which lost what they held first.

    A key may be in both: gone, and there again. `all`: everything. The values of `keys` are what was marked with them.
    """

    all: bool = True
    keys: dict[Any, Any] = {}
    gone: dict[Any, None] = {}
    _rows: NDArray[np.int64] | None = None

    def rows(self) -> NDArray[np.int64]:
        """Keys and those gone, ascending, where they are numbers. Of marks that were taken: many tables ask."""
        if self._rows is None:
            keys = self.keys.keys() | self.gone.keys() if self.gone else self.keys
            self._rows = np.fromiter(keys, np.int64, len(keys))
            self._rows.sort()
        return self._rows


class Touched:
    """Marks of one table, made by whoever writes to it; the tables of one class of rows may share them.

    It begins with everything marked: nothing of a new table is saved yet. Nothing is noted down as long as that is so,
    so it costs nothing where nothing is saved.
    """

    def __init__(self) -> None:
        self._marks = Marks()
        self._taken = Marks()

    def everything(self) -> None:
        """The whole table is new."""
        self._marks = Marks()

    def add(self, key: Any, value: Any = None) -> None:
        if not self._marks.all:
            self._marks.keys[key] = value

    def update(self, keys: Iterable[Any]) -> None:
        """Many at once; a mapping's values are kept with them. A dict or list is fastest."""
        if not self._marks.all:
            self._marks.keys.update(keys if isinstance(keys, Mapping) else dict.fromkeys(keys))

    def drop(self, key: Any) -> None:
        """The key holds nothing any more."""
        if not self._marks.all:
            self._marks.keys.pop(key, None)
            self._marks.gone[key] = None

    def take(self) -> Marks:
        """All marks since the last time; from now on there are none. Until `lost`, they count as saved."""
        self._taken, self._marks = self._marks, Marks(all=False)
        return self._taken

    def lost(self) -> None:
        """What was taken last could not be saved: it is marked again."""
        taken, now = self._taken, self._marks
        for key in now.gone:
            taken.keys.pop(key, None)
        self._marks = Marks(taken.all or now.all, taken.keys | now.keys, taken.gone | now.gone)
        if self._marks.all:
            self.everything()

    def saved(self) -> None:
        """What was taken last is saved: nobody asks for it again."""
        self._taken = Marks()

    def settled(self) -> None:
        """All that there is has just been loaded from where it is saved."""
        self._marks = Marks(all=False)
