"""The items that each user had in one domain, as hashes: lists in blocks of flat arrays, as long as they are filled."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.state.dirty_keys import DirtyKeys
from models.state.flat_lists import ListMoves, flat_places, lay_out
from models.state.tracked_tables import Checkpointed, Ragged
from models.tables.event_rings import Done, Seen
from models.tables.flat_blocks import (
    leave_block,
    more_room,
    size_for,
    sizes_up_to,
    take_block,
    with_blocks,
    with_places,
    with_rows,
)


class SeenArrays(NamedTuple):
    """The lists as a kernel sees them. Those of user u are hashes[begin[u] : begin[u] + used[u]], oldest first.

    hashes: (places,). begin, used: (users,). sizes: places of a block, ascending; a list has a block of the first size
    that holds it. left: (sizes, stack) blocks left behind; left_n: (sizes,) how many. end: (1,) the first place of no
    block. total: (1,) items of all lists.
    """

    hashes: NDArray[np.int64]
    begin: NDArray[np.int32]
    used: NDArray[np.int16]
    sizes: NDArray[np.int64]
    left: NDArray[np.int32]
    left_n: NDArray[np.int64]
    end: NDArray[np.int64]
    total: NDArray[np.int64]


@kernel
def grow(seen: SeenArrays, user: int, used: int | np.int64) -> None:
    """Give a user whose list fills its block of `used` places one of the next size. There must be room."""
    was, which = seen.begin[user], size_for(seen.sizes, used) + 1 if used > 0 else 0
    begin = take_block(seen.left, seen.left_n, seen.end, which, seen.sizes[which])
    for n in range(used):
        seen.hashes[begin + n] = seen.hashes[was + n]
    if used > 0:
        leave_block(seen.left, seen.left_n, which - 1, was)
    seen.begin[user] = begin


@kernel
def note(seen: SeenArrays, users: NDArray[np.int64], items: NDArray[np.int64]) -> None:
    """Append items to their users' lists. There must be room. A list as long as the last size loses its oldest."""
    limit = seen.sizes[-1]
    for n in range(len(users)):
        user, used = users[n], np.int64(seen.used[users[n]])
        if used == limit:
            first = seen.begin[user]
            for place in range(first, first + limit - 1):
                seen.hashes[place] = seen.hashes[place + 1]
            used -= 1
            seen.total[0] -= 1
        elif used == 0 or used == seen.sizes[size_for(seen.sizes, used)]:
            grow(seen, user, used)
        seen.hashes[seen.begin[user] + used] = items[n]
        seen.used[user] = used + 1
        seen.total[0] += 1


@kernel
def pack(seen: SeenArrays, packed: SeenArrays) -> None:
    """Copy all lists to `packed`, one block after the other. Its `hashes`, `begin` and `end` are written."""
    for user in range(len(seen.used)):
        used, begin, was = np.int64(seen.used[user]), packed.end[0], seen.begin[user]
        if used > 0:
            for n in range(used):
                packed.hashes[begin + n] = seen.hashes[was + n]
            packed.begin[user] = begin
            packed.end[0] += seen.sizes[size_for(seen.sizes, used)]


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
    """Lists by user row. Memory: 8 bytes an item, in blocks of 1, 2, 3, 4, 6, 8 … items, and 6 bytes a user row."""

    def __init__(self, limit: int) -> None:
        """limit: items of a list, at most 32,767."""
        self.limit = limit
        self.written = DirtyKeys()
        """User rows."""
        self.arrays = self._empty(0)

    def _empty(self, rows: int) -> SeenArrays:
        sizes = sizes_up_to(self.limit)
        return SeenArrays(
            hashes=np.zeros(0, np.int64),
            begin=np.zeros(rows, np.int32),
            used=np.zeros(rows, np.int16),
            sizes=sizes,
            left=np.zeros((len(sizes), 8), np.int32),
            left_n=np.zeros(len(sizes), np.int64),
            end=np.zeros(1, np.int64),
            total=np.zeros(1, np.int64),
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
        self.written.update(users.tolist())
        self._make_room(users)
        note(self.arrays, users, hashes)

    def _make_room(self, users: NDArray[np.int64]) -> None:
        """Make room for one more item of each of these users, (n,); one may be there more than once."""
        last = int(users.max())
        if last >= len(self.arrays.used):
            self.arrays = with_rows(self.arrays, last + 1, ("begin", "used"))
        places, blocks, _ = more_room(self.arrays.sizes, users, self.arrays.used[users])
        if blocks:
            self.arrays = with_places(self.arrays, ("hashes",), places, blocks, self._packed)

    def pack(self) -> None:
        """Put all lists next to each other, and leave nothing between them."""
        self.arrays = self._packed()

    def _packed(self) -> SeenArrays:
        held = self.arrays
        hashes = np.zeros(int(held.end[0] - (held.sizes * held.left_n).sum()), np.int64)
        packed = self._empty(len(held.used))._replace(used=held.used, total=held.total, hashes=hashes)
        pack(held, packed)
        return packed

    def drop(self, user: int) -> None:
        """Empty the user's list."""
        if user >= len(self.arrays.used) or not self.arrays.used[user]:
            return
        self.arrays = with_blocks(self.arrays, 1)
        held, used = self.arrays, int(self.arrays.used[user])
        leave_block(held.left, held.left_n, size_for(held.sizes, used), int(held.begin[user]))
        held.total[0] -= used
        held.used[user] = 0
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
        hashes = held.hashes[flat_places(held.begin[users].astype(np.int64), count)]
        return {"users": users, "lengths": count, "hashes": hashes}

    def load(self, state: dict[str, Any]) -> None:
        """Replace all lists."""
        self.written.everything()
        users, count, hashes = state["users"], state["lengths"], state["hashes"]
        held, kept = self._empty(int(users.max(initial=-1)) + 1), np.minimum(count, self.limit)
        rooms = held.sizes[np.searchsorted(held.sizes, kept)]
        held.begin[users], held.used[users] = np.cumsum(rooms) - rooms, kept
        held.end[0], held.total[0] = rooms.sum(), kept.sum()
        self.arrays = held._replace(hashes=np.zeros(int(held.end[0]), np.int64))
        begins, first = held.begin[users].astype(np.int64), np.zeros_like(kept)
        moves = ListMoves(np.cumsum(count) - kept, kept, begins, first, self.limit)
        lay_out(hashes, moves, self.arrays.hashes)


class UserWords(Checkpointed):
    """Numbers of 64 bits of each user row, the latest of them. What they mean is said by who writes them.

    They say nothing of rows of items: items are hashes there.
    """

    def __init__(self, limit: int) -> None:
        """limit: the most numbers of a user."""
        self._words = SeenItems(limit)

    @property
    def empty(self) -> bool:
        """Whether nobody has any."""
        return self._words.total == 0

    def _add(self, user: int, words: NDArray[np.int64]) -> None:
        """Add numbers. The oldest that do not fit are lost."""
        self._words.add(np.full(len(words), user), words)

    def drop_user(self, row: int) -> None:
        """Forget the row: it is free, or stands for another user, from now on."""
        self._words.drop(row)

    def drop_item(self, domain: int, row: int) -> None:
        """Keep everything: nothing here is an item's."""

    def live(self) -> Any:
        """Return what `load` takes."""
        return self._words.live()

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self._words.load(state)
