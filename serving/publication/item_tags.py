"""Keep which users' lists hold an item, in one domain: each place on a list has a tag that stands for the item."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.state.given_state import taken
from models.tables.catalogue import grown
from models.tables.tagged_lists import count_places, find_lists, replace_list

READ = 50_000
"""Lists that one call of `due` reads at most: about 1 ms."""


class ItemTags:
    """Tags of the items on all lists. A tag stands for one stay of an item on lists.

    `held`: (user rows, top) tags, 0 at an empty place. `drop_items` takes the tag from its item; the row may then be
    another item's, or the item may come back and get a new tag. `due` returns users whose lists still hold such a tag.
    It has to read the lists, but only while there are any. Memory: 2 bytes a place, 4 beyond 65,535 tags, and 9 bytes
    an item.
    """

    def __init__(self, top: int) -> None:
        """top: places of a list."""
        self.top = top
        self.held: NDArray[Any] = np.zeros((0, top), np.uint16)
        self.tag_of = np.zeros(0, np.int32)
        """(item rows,); 0 for an item that is on no list."""
        self.waiting = 0
        """Places with a tag that lost its item."""
        self.free: list[int] = []
        self.tags = 0
        """The highest tag ever given out."""
        self._places = np.zeros(1, np.int32)
        """(tags + 1,): places with each tag."""
        self._taken = np.zeros(1, np.bool_)
        """(tags + 1,): whether it lost its item."""
        self._next = 0

    def write(self, row: int, items: Sequence[int]) -> bool:
        """Let the user's list hold these distinct item rows from now on, at most `top`.

        Return whether all places have become wider for it.
        """
        self.held, narrow = grown(self.held, row + 1), self.held.dtype
        before = self.held[row].tolist() if self.waiting else ()
        tags = self._tags_of(items)  # this may widen the places
        replace_list(self.held, row, tags, self._places)
        for tag in before:
            if self._taken[tag]:
                self.waiting -= 1
                self._free_if_unused(tag)
        return self.held.dtype != narrow

    def _tags_of(self, items: Sequence[int]) -> NDArray[np.int32]:
        """Return the tag of each item, a new one for an item that is on no list."""
        if not len(items):
            return np.zeros(0, np.int32)
        self.tag_of = grown(self.tag_of, max(items) + 1)
        rows = np.asarray(items, np.int64)
        for row in rows[self.tag_of[rows] == 0].tolist():
            if self.free:
                self.tag_of[row] = heapq.heappop(self.free)
            else:
                self.tags = self.tag_of[row] = self.tags + 1
        self._make_room()
        return self.tag_of[rows]

    def _make_room(self) -> None:
        self._places, self._taken = (grown(a, self.tags + 1) for a in (self._places, self._taken))
        if self.tags > np.iinfo(self.held.dtype).max:
            self.held = self.held.astype(np.uint32)

    def _free_if_unused(self, tag: int) -> None:
        if not self._places[tag]:
            self._taken[tag] = False
            heapq.heappush(self.free, tag)

    def place(self, row: int, item: int) -> int | None:
        """Return the item's place on the user's list, -1 if it is not on it; None if the user has no list.

        >>> tags = ItemTags(top=3)
        >>> tags.write(0, [7, 5])
        False
        >>> tags.place(0, 5), tags.place(0, 6), tags.place(1, 5)
        (1, -1, None)
        """
        if row >= len(self.held) or not self.held[row, 0]:
            return None
        tag = int(self.tag_of[item]) if 0 <= item < len(self.tag_of) else 0
        held: list[int] = self.held[row].tolist() if tag else []
        return held.index(tag) if tag in held else -1

    def drop_items(self, items: Iterable[int]) -> None:
        """Note that these item rows must leave all lists."""
        for item in items:
            tag = int(self.tag_of[item]) if item < len(self.tag_of) else 0
            if tag:
                self.tag_of[item] = 0
                self._taken[tag] = True
                self.waiting += int(self._places[tag])
                self._free_if_unused(tag)

    def due(self, limit: int) -> list[int]:
        """Return up to `limit` user rows whose lists hold a dropped item; they stay due until written.

        It reads a part of a large table and goes on there at the next call. So it may return none although some wait.
        """
        if not self.waiting:
            return []
        rows = np.empty(limit, np.int64)
        found, self._next = find_lists(self.held, self._taken, self._next, READ, rows)
        due: list[int] = rows[:found].tolist()
        return due

    def load(self, held: NDArray[Any], tag_of: NDArray[Any] | None) -> None:
        """Take up the two arrays of a state. Without `tag_of`, `held` has item rows: the format of early versions."""
        most = int(held.max(initial=0))
        self.tag_of = np.arange(1, most + 1, dtype=np.int32) if tag_of is None else tag_of.copy()
        self.tags = max(most, int(self.tag_of.max(initial=0)))
        early = held.dtype == np.int32
        narrow = np.uint16 if self.tags < 2**16 else np.uint32
        self.held = taken(held, narrow if early else None)
        self._places, self._taken = np.zeros(1, np.int32), np.zeros(1, np.bool_)
        self._make_room()
        count_places(self.held, self._places)
        ownerless = np.ones(len(self._places), np.bool_)
        ownerless[self.tag_of] = ownerless[0] = False
        ownerless[self.tags + 1 :] = False
        self._taken = ownerless & (self._places > 0)
        self.waiting = int(self._places[self._taken].sum())
        self.free = np.flatnonzero(ownerless & (self._places == 0)).tolist()  # ascending, so a heap
