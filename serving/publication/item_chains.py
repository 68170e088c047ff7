"""Keep which users' lists hold an item, in one domain: the places of each item on lists, linked."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.tables.catalogue import grown
from models.tables.chained_lists import Links, link, link_all, unlink


class ItemChains:
    """A doubly linked list in flat arrays for each item: it starts at `first` and joins its places on users' lists.

    `held`: (user rows, top) chain + 1 at each place, 0 if it is empty. A chain stands for one stay of an item on
    lists. `drop_items` takes the chain from its item; the row may then be another item's, or the item may come
    back and begin a new chain. `due` returns users who still have a place in such a chain. Both cost nothing per
    list; `write` costs about 10 µs. Memory: 4 bytes a place for `held`, 8 for the links (16 beyond 2^31 places), 12
    bytes an item.
    """

    def __init__(self, top: int, users: int) -> None:
        """top: places of a list; users: most rows."""
        self.top = top
        self.held = np.zeros((0, top), np.int32)
        self.chain_of = np.zeros(0, np.int32)
        """(item rows,): chain + 1; 0 for an item that is on no list."""
        self.waiting = 0
        """Places in chains that lost their item."""
        link = np.int32 if users * top < 2**31 else np.int64
        self.following, self.preceding = np.zeros((0, top), link), np.zeros((0, top), link)
        """(user rows, top): place + 1; 0 at the end. A place is `row · top + k`."""
        self.first = np.zeros(0, link)
        """(chains,): place + 1; 0 for an empty one."""
        self.length = np.zeros(0, np.int32)
        self._taken: dict[int, None] = {}
        self.free: list[int] = []
        self.chains = 0

    def write(self, row: int, items: Sequence[int]) -> None:
        """Let the user's list hold these distinct item rows from now on, at most `top`."""
        if row >= len(self.held):
            self.held = grown(self.held, row + 1)
            self.following, self.preceding = (
                grown(links, row + 1) for links in (self.following, self.preceding)
            )
        self._unlink(row)
        if len(items):
            self.held[row, : len(items)] = self._chains_of(items)
            link(self._links(), row)

    def _links(self) -> Links:
        return Links(self.held, self.following, self.preceding, self.first, self.length)

    def _chains_of(self, items: Sequence[int]) -> NDArray[np.int32]:
        """Return chain + 1 of each item, a new chain for one that is on no list."""
        self.chain_of = grown(self.chain_of, max(items) + 1)
        rows = np.asarray(items, np.int64)
        for row in rows[self.chain_of[rows] == 0].tolist():
            if self.free:
                chain = heapq.heappop(self.free)
            else:
                chain, self.chains = self.chains, self.chains + 1
                self.first, self.length = (grown(a, self.chains) for a in (self.first, self.length))
            self.chain_of[row] = chain + 1
        return self.chain_of[rows]

    def _unlink(self, row: int) -> None:
        chains = self.held[row] - 1 if self._taken else ()
        unlink(self._links(), row)
        for chain in chains:
            if int(chain) in self._taken:
                self.waiting -= 1
                self._end_if_empty(int(chain))

    def _end_if_empty(self, chain: int) -> None:
        if not self.length[chain]:
            self._taken.pop(chain, None)
            heapq.heappush(self.free, chain)

    def drop_items(self, items: Iterable[int]) -> None:
        """Note that these item rows must leave all lists."""
        for item in items:
            chain = int(self.chain_of[item]) - 1 if item < len(self.chain_of) else -1
            if chain >= 0:
                self.chain_of[item] = 0
                self._taken[chain] = None
                self.waiting += int(self.length[chain])
                self._end_if_empty(chain)

    def due(self, limit: int) -> list[int]:
        """Return up to `limit` user rows whose lists hold a dropped item; they stay due until written."""
        rows: dict[int, None] = {}
        following = self.following.reshape(-1)
        for chain in self._taken:
            place = int(self.first[chain])
            while place and len(rows) < limit:
                rows[(place - 1) // self.top] = None
                place = int(following[place - 1])
            if len(rows) >= limit:
                break
        return list(rows)

    def load(self, held: NDArray[np.int32], chain_of: NDArray[Any] | None) -> None:
        """Load the two arrays of a state. Without `chain_of`, `held` has item rows: the format of early versions."""
        self.held = held.copy()
        most = int(held.max(initial=0))
        self.chain_of = np.arange(1, most + 1, dtype=np.int32) if chain_of is None else chain_of.copy()
        self.chains = max(most, int(self.chain_of.max(initial=0)))
        link = self.first.dtype
        self.following, self.preceding = np.zeros(self.held.shape, link), np.zeros(self.held.shape, link)
        self.first = np.zeros(self.chains, link)
        self.length = np.zeros(self.chains, np.int32)
        link_all(self._links())
        ownerless = np.ones(self.chains, np.bool_)
        ownerless[self.chain_of[self.chain_of > 0] - 1] = False
        self._taken = dict.fromkeys(np.flatnonzero(ownerless & (self.length > 0)).tolist())
        self.waiting = int(self.length[ownerless].sum())
        self.free = np.flatnonzero(ownerless & (self.length == 0)).tolist()  # ascending, so a heap
