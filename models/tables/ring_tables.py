"""Own the rings of users' latest events: make room for them, empty them, save and load them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import DirtyKeys
from models.state.flat_lists import ListMoves, flat_places, lay_out
from models.state.tracked_tables import Ragged, Rows
from models.tables.event_rings import Rings, leave_ring, pack, whole_seconds
from models.tables.flat_blocks import more_room, size_for, sizes_up_to, with_blocks, with_places, with_rows

Index = NDArray[np.int64]
Lists = dict[str, NDArray[Any]]
"""Rings as a state holds them, oldest event first: users (n,), lengths (n,), and a column of each field of an event."""
FIELDS = ("domain", "row", "time", "seq", "kind")
BY_USER = ("events", "begin")


class RingTables:
    """The rings of all user rows. Memory: 14 bytes an event, up to `length`, 4 bytes a user, 4 a domain of a user."""

    def __init__(self, domains: int, length: int) -> None:
        """length: R, places of a full ring."""
        self._length = length
        sizes = sizes_up_to(length)
        self.rings = Rings(
            events=np.zeros((0, domains), np.int32),
            begin=np.zeros(0, np.int32),
            domain=np.zeros(0, np.int8),
            row=np.zeros(0, np.int32),
            time=np.zeros(0, np.uint32),
            seq=np.zeros(0, np.uint32),
            kind=np.zeros(0, np.int8),
            born=np.zeros((domains, 0), np.int64),
            sizes=sizes,
            left=np.zeros((len(sizes), 8), np.int32),
            left_n=np.zeros(len(sizes), np.int64),
            end=np.zeros(1, np.int64),
        )

    def reserve(self, users: int) -> None:
        """Make room for this many users."""
        if users > len(self.rings.begin):
            self.rings = with_rows(self.rings, users, BY_USER)

    def make_room(self, users: Index) -> None:
        """Make room for one more event of each of these users. users: (n,) rows; one may be there more than once."""
        self.reserve(int(users.max()) + 1)
        places, blocks, _ = more_room(self.rings.sizes, users, self.rings.events[users].sum(1))
        if blocks:
            self.rings = with_places(self.rings, FIELDS, places, blocks, self._packed)

    def pack(self) -> None:
        """Put all rings next to each other, and leave nothing between them."""
        self.rings = self._packed()

    def _packed(self) -> Rings:
        held = self.rings
        used = int(held.end[0] - (held.sizes * held.left_n).sum())
        fields = {name: np.zeros(used, getattr(held, name).dtype) for name in FIELDS}
        fresh = RingTables(held.events.shape[1], self._length).rings
        packed = fresh._replace(events=held.events, begin=np.zeros_like(held.begin), **fields)
        pack(held, packed)
        return packed

    def drop(self, user: int) -> None:
        """Empty the user's ring."""
        if user >= len(self.rings.begin):
            return
        if total := min(int(self.rings.events[user].sum()), self._length):
            self.rings = with_blocks(self.rings, 1)
            leave_ring(self.rings, size_for(self.rings.sizes, total), int(self.rings.begin[user]))
        self.rings.events[user], self.rings.begin[user] = 0, 0

    def end_future(self, now: float) -> list[int]:
        """Set every time after `now` (seconds) to `now`. Return the rows of users who had one."""
        times, now = self.rings.time, whole_seconds(now)
        if not (times > now).any():
            return []
        lists = self.lists(self._filled())
        wrong: list[int] = np.unique(
            np.repeat(lists["users"], lists["lengths"])[lists["time"] > now]
        ).tolist()
        times[times > now] = now
        return wrong

    def live(self, written: DirtyKeys) -> dict[str, Any]:
        """Return what `load` takes. written: dirty user rows."""
        return {
            "events": Rows(written, self.rings.events),
            "recent": Ragged(written, self._filled, self.lists, self._size),
        }

    def _size(self) -> int:
        return int(self.rings.end[0] * sum(getattr(self.rings, name).itemsize for name in FIELDS))

    def _filled(self) -> Index:
        return np.flatnonzero(self.rings.events.any(1))

    def lists(self, users: Index) -> Lists:
        """Return the rings of those of the users who have one."""
        users = users[users < len(self.rings.begin)]
        users = users[self.rings.events[users].any(1)]
        total = self.rings.events[users].sum(1)
        lengths = np.minimum(total, self._length)
        at = self._places(users, total - lengths, lengths)
        return {
            "users": users,
            "lengths": lengths,
            **{name: getattr(self.rings, name)[at] for name in FIELDS},
        }

    def _places(self, users: Index, first: Index, lengths: Index) -> Index:
        """Return where events number `first` and the following ones of each user lie. first, lengths: (n,)."""
        places: Index = (
            np.repeat(self.rings.begin[users], lengths) + flat_places(first, lengths) % self._length
        )
        return places

    def load(self, events: NDArray[Any], lists: Lists) -> None:
        """Replace all rings. events: (users, domains) counts. Of an event that a ring should have and lacks, there is
        no domain."""
        fresh = RingTables(events.shape[1], self._length).rings
        self.rings = fresh._replace(events=events.astype(np.int32), begin=np.zeros(len(events), np.int32))
        filled = self._filled()
        total = self.rings.events[filled].sum(1)
        lengths = np.minimum(total, self._length)
        rooms = self.rings.sizes[np.searchsorted(self.rings.sizes, lengths)]
        self.rings.begin[filled] = np.cumsum(rooms) - rooms
        self.rings.end[0] = rooms.sum()
        self.rings = with_rows(self.rings, int(rooms.sum()), FIELDS)
        users, kept = lists["users"], np.minimum(lists["lengths"], self._length)
        there = np.zeros(len(events), np.int64)
        there[users] = kept
        if (there[filled] < lengths).any():
            self.rings.domain[self._places(filled, total - lengths, lengths)] = -1
        first = self.rings.events[users].sum(1) - kept
        begins = self.rings.begin[users].astype(np.int64)
        moves = ListMoves(np.cumsum(lists["lengths"]) - kept, kept, begins, first, self._length)
        for name in FIELDS:
            if name in lists:  # states of before kinds hold none: 0 is a click or a rating
                lay_out(lists[name], moves, getattr(self.rings, name))

    def rename_kinds(self, kinds: NDArray[np.int8]) -> list[int]:
        """Replace each kind k by `kinds[k]`. Return the rows of users whose events have another one now."""
        if (kinds == np.arange(len(kinds))).all():
            return []
        lists = self.lists(self._filled())
        owners = np.repeat(lists["users"], lists["lengths"])
        changed: list[int] = np.unique(owners[kinds[lists["kind"]] != lists["kind"]]).tolist()
        self.rings.kind[:] = kinds[self.rings.kind]
        return changed


def early_lists(state: dict[str, Any]) -> Lists:
    """Return the rings of an early state, where each user had a full ring: (users, R) by field."""
    total, length = state["events"].sum(1), state["_domain"].shape[1]
    users = np.flatnonzero(total)
    total = total[users]
    lengths = np.minimum(total, length)
    places = np.repeat(users, lengths), flat_places(total - lengths, lengths) % length
    held = {name: state[f"_{name}"][places] for name in FIELDS if f"_{name}" in state}
    return {"users": users, "lengths": lengths, "kind": np.zeros(len(places[0]), np.int8), **held}
