"""Keep the latest items of each user in a ring, and recall them before each event of a micro-batch.

A ring has at most R places. Until a user has had that many events, it has a smaller block of a flat array.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.tables.flat_blocks import leave_block, size_for, take_block


class Recalled(NamedTuple):
    """What users did before each of B events: the latest R items, newest first, and counts.

    domain: (B, R), -1 for none. row: (B, R) item rows. time: (B, R) whole seconds. n: (B,) the number of latest items.
    events: (B,) the number of the user's events in the event's domain. kind: (B, R) `EventWeights.kinds` of the latest
    items.
    """

    domain: NDArray[np.int8]
    row: NDArray[np.int32]
    time: NDArray[np.float64]
    n: NDArray[np.int64]
    events: NDArray[np.int64]
    kind: NDArray[np.int8]

    def context(self, length: int) -> NDArray[np.float64]:
        """Return (B, length, 3): domain, row and time of the latest items; domain -1 where there is none."""
        out = np.empty((len(self.n), length, 3))
        out[:, :, 0], out[:, :, 1], out[:, :, 2] = (
            self.domain[:, :length],
            self.row[:, :length],
            self.time[:, :length],
        )
        out[self.domain[:, :length] < 0] = -1.0
        return out


NO_KINDS = np.zeros(0, np.int8)


class Done(NamedTuple):
    """B events: domain, user row (-1: no row), item row, (B,) each, and their times in seconds.

    kind: (B,) `EventWeights.kinds`, below 0 for a skip; empty if all are clicks or ratings.
    """

    domain: NDArray[np.int64]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    time: NDArray[np.float64]
    kind: NDArray[np.int8] = NO_KINDS

    def kinds(self) -> NDArray[np.int8]:
        """Return (B,): the kind of each event."""
        return self.kind if len(self.kind) else np.zeros(len(self.user), np.int8)

    def chosen(self) -> NDArray[np.bool_]:
        """Return (B,): whether each event is a choice of its item, and no skip."""
        return self.kinds() >= 0

    def some(self, places: NDArray[Any]) -> Done:
        """Return some of the events."""
        kind = self.kind[places] if len(self.kind) else NO_KINDS
        return Done(self.domain[places], self.user[places], self.item[places], self.time[places], kind)


def asking(users: Sequence[int | None], domain: int = 0) -> Done:
    """Return events without an item, which ask for users' state in a domain. users: rows, None for a new user."""
    rows = np.array([-1 if user is None else user for user in users], np.int64)
    return Done(np.full(len(rows), domain), rows, np.full(len(rows), -1), np.zeros(len(rows)))


class Seen(NamedTuple):
    """Hashes of the items that users had. Those of event b lie from at[b] to at[b + 1]; at: (B + 1,)."""

    hashes: NDArray[np.int64]
    at: NDArray[np.int64]


@kernel
def contains(
    hashes: NDArray[np.int64], at: NDArray[np.int64], wanted: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return (B,): whether each wanted hash is among those of its event. hashes, at: see `Seen`. wanted: (B,).

    >>> hashes, at = np.array([7, 8, 9]), np.array([0, 2, 3])  # event 0 has 7 and 8, event 1 has 9
    >>> contains(hashes, at, np.array([8, 8])).tolist()
    [True, False]
    """
    found = np.zeros(len(wanted), np.bool_)
    for b in range(len(wanted)):
        for n in range(at[b], at[b + 1]):
            found[b] |= hashes[n] == wanted[b]
    return found


@kernel
def whole_seconds(time: float) -> float:
    """Return a time in whole seconds since the epoch, as rings keep it: rounded down, from 1970 to 2106."""
    return float(min(max(np.floor(time), 0.0), 4294967295.0))


class Rings(NamedTuple):
    """The latest items of all users as a kernel sees them.

    A user of n events has a block of the first size that holds min(n, R). Event number e lies at begin + e modulo R.
    events: (users, domains) counts. begin: (users,). domain, row, time (seconds), seq (the history's generation at the
    event), kind (see `Recalled`): (places,). born: (domains, rows) the generation from which the row means its present
    item. sizes: places of a block, R last. left: (sizes, stack) blocks left behind; left_n: (sizes,). end: (1,) the
    first place of no block.
    """

    events: NDArray[np.int32]
    begin: NDArray[np.int32]
    domain: NDArray[np.int8]
    row: NDArray[np.int32]
    time: NDArray[np.uint32]
    seq: NDArray[np.uint32]
    kind: NDArray[np.int8]
    born: NDArray[np.int64]
    sizes: NDArray[np.int64]
    left: NDArray[np.int32]
    left_n: NDArray[np.int64]
    end: NDArray[np.int64]


@kernel
def recall(rings: Rings, done: Done, together: bool, found: Recalled) -> None:
    """Write what each event's user did before it: earlier events of the batch first, then the user's ring.

    together: whether the events happen one after the other. If not, each event is alone. found: written.
    """
    length = found.domain.shape[1]
    for b in range(len(done.user)):
        user, n, same = done.user[b], 0, 0
        found.domain[b] = -1
        if user >= 0:
            for earlier in range(b - 1 if together else -1, -1, -1):
                if done.user[earlier] == user and (len(done.kind) == 0 or done.kind[earlier] >= 0):
                    same += done.domain[earlier] == done.domain[b]
                    if n < length:
                        found.domain[b, n], found.row[b, n] = done.domain[earlier], done.item[earlier]
                        found.time[b, n] = whole_seconds(done.time[earlier])
                        found.kind[b, n] = done.kind[earlier] if len(done.kind) > 0 else 0
                        n += 1
        if 0 <= user < len(rings.events):
            same += rings.events[user, done.domain[b]]
            total, first = rings.events[user].sum(), rings.begin[user]
            for back in range(min(total, length)):
                at = first + (total - 1 - back) % length
                domain, row = rings.domain[at], rings.row[at]
                # The domain may have left the config, and the row may have been given to another item since.
                if domain < 0 or (row < rings.born.shape[1] and rings.seq[at] < rings.born[domain, row]):
                    continue
                if n < length:
                    found.domain[b, n], found.row[b, n] = domain, row
                    found.time[b, n], found.kind[b, n] = rings.time[at], rings.kind[at]
                    n += 1
        found.n[b], found.events[b] = n, same


@kernel
def copy_events(rings: Rings, was: int, to: Rings, begin: int, total: int) -> None:
    """Copy `total` events of the ring that begins at `was` to `begin` of `to`, which may be the same rings."""
    for n in range(total):
        to.domain[begin + n], to.row[begin + n] = rings.domain[was + n], rings.row[was + n]
        to.time[begin + n], to.seq[begin + n] = rings.time[was + n], rings.seq[was + n]
        to.kind[begin + n] = rings.kind[was + n]


@kernel
def take_ring(rings: Rings, user: int, which: int, total: int) -> None:
    """Give a user of `total` events, at most R, a block of size number `which`. There must be room."""
    begin, was = take_block(rings.left, rings.left_n, rings.end, which, rings.sizes[which]), rings.begin[user]
    copy_events(rings, was, rings, begin, total)
    if which > 0:
        leave_ring(rings, which - 1, was)
    rings.begin[user] = begin


@kernel
def leave_ring(rings: Rings, which: int, begin: int) -> None:
    """Leave a block of size number `which` behind, empty: nothing of a user stays in it. There must be room."""
    for at in range(begin, begin + rings.sizes[which]):
        rings.domain[at], rings.row[at], rings.time[at], rings.seq[at], rings.kind[at] = 0, 0, 0, 0, 0
    leave_block(rings.left, rings.left_n, which, begin)


@kernel
def pack(rings: Rings, packed: Rings) -> None:
    """Copy all rings to `packed`, one block after the other. Its places, `begin` and `end` are written."""
    for user in range(len(rings.begin)):
        total = min(rings.events[user].sum(), rings.sizes[-1])
        if total > 0:
            begin = packed.end[0]
            copy_events(rings, rings.begin[user], packed, begin, total)
            packed.begin[user] = begin
            packed.end[0] += rings.sizes[size_for(rings.sizes, total)]


@kernel
def append(rings: Rings, done: Done, generation: int) -> None:
    """Add events of this generation to their users' rings, in order. Each has a user's row.

    There must be room for larger blocks.
    """
    sizes = rings.sizes
    length = sizes[-1]
    for b in range(len(done.user)):
        user = done.user[b]
        total = rings.events[user].sum()
        if total < length:
            which = size_for(sizes, total)
            if total == 0 or total == sizes[which]:
                take_ring(rings, user, which + (total > 0), total)
        at = rings.begin[user] + total % length
        rings.domain[at], rings.row[at] = done.domain[b], done.item[b]
        rings.time[at], rings.seq[at] = np.uint32(whole_seconds(done.time[b])), np.uint32(generation)
        rings.kind[at] = done.kind[b] if len(done.kind) > 0 else 0
        rings.events[user, done.domain[b]] += 1
