"""The items that each user had in one domain, as hashes: lists in blocks of flat arrays, as long as they are filled."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.state.dirty_keys import DirtyKeys
from models.state.flat_lists import flat_places
from models.state.tracked_tables import Checkpointed, Ragged
from models.tables.catalogue import grown
from models.tables.event_rings import Done, Seen
from models.tables.flat_blocks import leave_block, take_block, with_room

LEAST = 4
"""Places of the smallest block; each larger size has twice as many."""


class SeenArrays(NamedTuple):
    """The lists as a kernel sees them. Those of user u are hashes[begin[u] : begin[u] + used[u]], oldest first.

    hashes: (places,). begin, used: (users,). size: (users,) number of the block's size, 0 for none: LEAST · 2^(size-1)
    places. left: (sizes, stack) blocks left behind; left_n: (sizes,) how many. end: (1,) the first place of no block.
    total: (1,) items of all lists.
    """

    hashes: NDArray[np.int64]
    begin: NDArray[np.int64]
    used: NDArray[np.int32]
    size: NDArray[np.int8]
    left: NDArray[np.int64]
    left_n: NDArray[np.int64]
    end: NDArray[np.int64]
    total: NDArray[np.int64]


@kernel
def grow(seen: SeenArrays, user: int) -> None:
    """Give the user a block of the next size. There must be room."""
    old, was = int(seen.size[user]), seen.begin[user]
    begin = take_block(seen.left, seen.left_n, seen.end, old, LEAST << old)
    for n in range(seen.used[user]):
        seen.hashes[begin + n] = seen.hashes[was + n]
    if old > 0:
        leave_block(seen.left, seen.left_n, old - 1, was)
    seen.begin[user], seen.size[user] = begin, old + 1


@kernel
def note(seen: SeenArrays, limit: int, users: NDArray[np.int64], items: NDArray[np.int64], begin: int) -> int:
    """Append items, from `begin` on, to their users' lists, while there is room; return the first that was not.

    A list of `limit` items loses its oldest.
    """
    most = LEAST << np.int64(len(seen.left_n) - 1)
    for n in range(begin, len(users)):
        if seen.end[0] + most > len(seen.hashes) or seen.left_n.max() >= seen.left.shape[1]:
            return n
        user = users[n]
        if seen.used[user] == limit:
            first = seen.begin[user]
            for place in range(first, first + limit - 1):
                seen.hashes[place] = seen.hashes[place + 1]
            seen.used[user] -= 1
            seen.total[0] -= 1
        size = np.int64(seen.size[user])
        if size == 0 or seen.used[user] == LEAST << (size - 1):
            grow(seen, user)
        seen.hashes[seen.begin[user] + seen.used[user]] = items[n]
        seen.used[user] += 1
        seen.total[0] += 1
    return len(users)


@kernel
def lengths(seen: SeenArrays, domain: int, done: Done, together: bool, out: NDArray[np.int64]) -> None:
    """Write how many items each event's user had before it, (B,), for the events of one domain; see `gather`."""
    domains, users = done.domain, done.user
    for b in range(len(users)):
        if domains[b] != domain or users[b] < 0:
            continue
        if users[b] < len(seen.used):
            out[b] = seen.used[users[b]]
        if together:
            for earlier in range(b):
                out[b] += domains[earlier] == domain and users[earlier] == users[b]


@kernel
def gather(seen: SeenArrays, domain: int, done: Done, hashes: NDArray[np.int64], out: Seen) -> None:
    """Write the items that each event's user had before it, for the events of one domain; `out.at` says where.

    hashes: (B,) of the events' items. Where there is room for them, those of earlier events in the batch come last.
    """
    domains, users, at = done.domain, done.user, out.at
    for b in range(len(users)):
        if domains[b] != domain or users[b] < 0:
            continue
        place = at[b]
        if users[b] < len(seen.used):
            first = seen.begin[users[b]]
            for n in range(seen.used[users[b]]):
                out.hashes[place] = seen.hashes[first + n]
                place += 1
        earlier = 0
        while place < at[b + 1]:
            if domains[earlier] == domain and users[earlier] == users[b]:
                out.hashes[place] = hashes[earlier]
                place += 1
            earlier += 1


class SeenItems(Checkpointed):
    """Lists by user row. Memory: 8 bytes an item, in blocks of 4, 8, 16, … items, and 13 bytes a user row."""

    def __init__(self, limit: int) -> None:
        """limit: items of a list."""
        self.limit = limit
        self.written = DirtyKeys()
        """User rows."""
        self._clear()

    def _clear(self) -> None:
        sizes = 1
        while LEAST << (sizes - 1) < self.limit:
            sizes += 1
        self.arrays = SeenArrays(
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
            np.zeros(0, np.int32),
            np.zeros(0, np.int8),
            np.zeros((sizes, 64), np.int64),
            np.zeros(sizes, np.int64),
            np.zeros(1, np.int64),
            np.zeros(1, np.int64),
        )

    @property
    def total(self) -> int:
        """Return the items of all lists."""
        return int(self.arrays.total[0])

    def of(self, user: int) -> NDArray[np.int64]:
        """Return the user's list, oldest first."""
        seen = self.arrays
        if user >= len(seen.used):
            return seen.hashes[:0]
        return seen.hashes[seen.begin[user] : seen.begin[user] + seen.used[user]]

    def add(self, users: NDArray[np.int64], hashes: NDArray[np.int64]) -> None:
        """Append items to their users' lists, in this order. users, hashes: (n,)."""
        if not len(users):
            return
        self._reserve_users(int(users.max()) + 1)
        self.written.update(users.tolist())
        done = 0
        while done < len(users):
            self._reserve_places()
            done = note(self.arrays, self.limit, users, hashes, done)

    def _reserve_users(self, rows: int) -> None:
        held = self.arrays
        if rows > len(held.used):
            begin, used, size = (grown(table, rows) for table in (held.begin, held.used, held.size))
            self.arrays = held._replace(begin=begin, used=used, size=size)

    def _reserve_places(self) -> None:
        """Make room for some lists to grow."""
        held, most = self.arrays, LEAST << (len(self.arrays.left_n) - 1)
        if int(held.end[0]) + most > len(held.hashes):
            held = held._replace(hashes=grown(held.hashes, int(held.end[0]) + 4 * most))
        self.arrays = held._replace(left=with_room(held.left, held.left_n, 1))

    def drop(self, user: int) -> None:
        """Empty the user's list."""
        held = self.arrays
        if user >= len(held.used) or not held.size[user]:
            return
        self._reserve_places()
        held = self.arrays
        leave_block(held.left, held.left_n, int(held.size[user]) - 1, held.begin[user])
        held.total[0] -= held.used[user]
        held.used[user] = held.size[user] = 0
        self.written.drop(user)

    def live(self) -> Ragged:
        return Ragged(self.written, lambda: np.flatnonzero(self.arrays.used), self._columns, self._size)

    def _size(self) -> int:
        return self.total * self.arrays.hashes.itemsize

    def _columns(self, users: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Return the lists of users, those that have one: users (n,), lengths (n,), and all hashes in a row."""
        held = self.arrays
        users = users[users < len(held.used)]
        users = users[held.used[users] > 0]
        count = held.used[users].astype(np.int64)
        hashes = held.hashes[flat_places(held.begin[users], count)]
        return {"users": users, "lengths": count, "hashes": hashes}

    def load(self, state: dict[str, Any]) -> None:
        """Replace all lists."""
        self._clear()
        self.written.everything()
        users, count, hashes = state["users"], state["lengths"], state["hashes"]
        if not len(users):
            return
        self._reserve_users(int(users.max()) + 1)
        size = np.ceil(np.log2(np.maximum(count, LEAST) / LEAST)).astype(np.int64) + 1
        rooms = LEAST << (size - 1)
        held = self.arrays
        held.begin[users], held.used[users], held.size[users] = np.cumsum(rooms) - rooms, count, size
        held.end[0] = rooms.sum()
        self.arrays = held._replace(hashes=np.zeros(int(held.end[0]), np.int64))
        self.arrays.hashes[flat_places(held.begin[users], count)] = hashes
        held.total[0] = count.sum()
