"""Bounded lists of weighted neighbours, as long as they are filled: many items have few."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import Touched
from models.state.tracked_tables import Live, Places
from models.tables.catalogue import grown

SIZES = (16, 64, 256)
"""Places a list may have. Few sizes: what a list leaves behind as it grows fits only another of that size."""
FREE = -1
BEYOND = -2
Index = NDArray[np.int64]


class NeighbourLists(Live):
    """By slot, up to `SIZES[-1]` neighbours (int32) with a row of float32 weights each, in blocks of flat arrays.

    A place's code is `slot · SIZES[-1] + place`: marks and states know nothing of blocks. A free place has the
    neighbour -1 and no weight. With the default sizes and five weights a list takes 24 bytes a place: 384, 1,536 or
    6,144 bytes, and 12 beside; blocks left behind by lists that grew add up to a third, until new lists take them.
    """

    def __init__(self, kinds: int, sizes: tuple[int, ...] = SIZES) -> None:
        self.sizes, self.most = sizes, sizes[-1]
        self.written = Touched()
        self.ids = np.zeros(0, np.int32)
        self.weights = np.zeros((0, kinds), np.float32)
        self._begin = np.zeros(0, np.int64)
        self._room = np.zeros(0, np.int32)
        """(slots,): 0 for a list without a block."""
        self._end = 0
        self._left: dict[int, list[int]] = {size: [] for size in sizes}

    def claim(self, slot: int) -> None:
        """Makes the slot exist."""
        self._begin, self._room = grown(self._begin, slot + 1), grown(self._room, slot + 1)

    def places(self, slots: Index) -> tuple[Index, Index]:
        """All places of these lists, one list after the other: which of `slots`, and where in the flat arrays.

        -1 stands for no list."""
        there = np.flatnonzero(slots >= 0)
        room = self._room[slots[there]].astype(np.int64)
        of = np.repeat(there, room)
        within = np.arange(len(of)) - np.repeat(np.cumsum(room) - room, room)
        return of, self._begin[slots[of]] + within

    def find(self, slots: Index, neighbour: int) -> tuple[Index, NDArray[np.bool_]]:
        """For each of these distinct lists a place (flat) for the neighbour, and whether it stood there already.

        Where it did not, it does now, without weight: at a free place, else at the weakest's.
        """
        ids = self._table(slots)
        hit = ids == neighbour
        place, known = hit.argmax(1), hit.any(1)
        new = np.flatnonzero(~known)
        if len(new):
            free = ids[new] == FREE
            place[new] = free.argmax(1)
            for n in new[~free.any(1)].tolist():
                slot = int(slots[n])
                place[n] = room = int(self._room[slot])
                if room == self.most:
                    place[n] = self._weights_of(slot)[:, -1].argmin()
                else:
                    self._grow(slot)
        at = self._begin[slots] + place
        self.ids[at[new]], self.weights[at[new]] = neighbour, 0.0
        self.written.update((slots * self.most + place).tolist())
        return at, known

    def find_all(self, slot: int, neighbours: Index) -> Index:
        """The same for one list and several distinct neighbours, `most` at most: where they are."""
        if not self._room[slot]:
            self._grow(slot)
        hit = self._ids_of(slot) == neighbours[:, None]
        known, place = hit.any(1), hit.argmax(1)
        missing = int((~known).sum())
        while int((self._ids_of(slot) == FREE).sum()) < missing and self._room[slot] < self.most:
            self._grow(slot)
        if missing:
            weakest = np.where(self._ids_of(slot) == FREE, -1.0, self._weights_of(slot)[:, -1])
            weakest[place[known]] = np.inf
            place[~known] = np.argsort(weakest, kind="stable")[:missing]
        at: Index = self._begin[slot] + place
        self.ids[at[~known]], self.weights[at[~known]] = neighbours[~known], 0.0
        self.written.update((slot * self.most + place).tolist())
        return at

    def _table(self, slots: Index) -> NDArray[np.int32]:
        """(slots, longest): their neighbours, place by place; BEYOND past a list's end."""
        room = self._room[slots]
        within = np.arange(max(int(room.max(initial=0)), 1))
        there = within < room[:, None]
        flat = np.where(there, self._begin[slots][:, None] + within, 0)
        ids = self.ids[flat] if len(self.ids) else np.zeros(flat.shape, np.int32)
        return np.where(there, ids, BEYOND).astype(np.int32)

    def _ids_of(self, slot: int) -> NDArray[np.int32]:
        return self.ids[self._begin[slot] : self._begin[slot] + self._room[slot]]

    def _weights_of(self, slot: int) -> NDArray[np.float32]:
        return self.weights[self._begin[slot] : self._begin[slot] + self._room[slot]]

    def _grow(self, slot: int) -> None:
        """To the next size; its neighbours keep their places."""
        old = int(self._room[slot])
        ids, weights = self._ids_of(slot).copy(), self._weights_of(slot).copy()
        self._leave(slot)
        size = next(size for size in self.sizes if size > old)
        if self._left[size]:
            begin = self._left[size].pop()
        else:
            begin, self._end = self._end, self._end + size
            self.ids, self.weights = grown(self.ids, self._end), grown(self.weights, self._end)
        self._begin[slot], self._room[slot] = begin, size
        self.ids[begin : begin + old], self.weights[begin : begin + old] = ids, weights
        self.ids[begin + old : begin + size], self.weights[begin + old : begin + size] = FREE, 0.0

    def _leave(self, slot: int) -> None:
        room = int(self._room[slot])
        if room:
            self._ids_of(slot)[:] = FREE
            self._left[room].append(int(self._begin[slot]))
            self._room[slot] = 0

    def drop(self, slot: int) -> None:
        """The list is empty."""
        held = np.flatnonzero(self._ids_of(slot) != FREE)
        self.written.update((slot * self.most + held).tolist())
        self._leave(slot)

    def remove(self, gone: NDArray[np.bool_]) -> None:
        """Takes these neighbours, (slots,), out of all lists."""
        ids = self.ids[: self._end]
        flat = np.flatnonzero(gone[ids] & (ids != FREE))
        slots = np.flatnonzero(self._room)
        slots = slots[np.argsort(self._begin[slots])]
        of = slots[
            np.searchsorted(self._begin[slots], flat, side="right") - 1
        ]  # blocks left behind are empty
        self.ids[flat], self.weights[flat] = FREE, 0.0
        self.written.update((of * self.most + flat - self._begin[of]).tolist())

    def filled(self) -> Index:
        """The codes of all places with a neighbour, ascending."""
        slots = np.arange(len(self._room))
        of, flat = self.places(slots)
        used = self.ids[flat] != FREE
        codes: Index = of[used] * self.most + flat[used] - self._begin[of[used]]
        return codes

    def _flat(self, codes: Index) -> Index:
        return self._begin[codes // self.most] + codes % self.most

    def columns(self, codes: Index) -> dict[str, NDArray[Any]]:
        """What stands at these places, -1 where there is none."""
        there = codes % self.most < self._room[codes // self.most]
        flat = self._flat(codes[there])
        ids = np.full(len(codes), FREE, np.int32)
        weights = np.zeros((len(codes), self.weights.shape[1]), np.float32)
        ids[there], weights[there] = self.ids[flat], self.weights[flat]
        return {"ids": ids, "weights": weights}

    def live(self) -> Places:
        return Places(self.written, self.filled, self.columns)

    def load(self, state: dict[str, Any], slots: int) -> None:
        """slots: how many there are."""
        codes, ids, weights = state["at"], state["ids"], state["weights"]
        self.__init__(weights.shape[1], self.sizes)  # type: ignore[misc]
        longest = np.zeros(slots, np.int64)
        np.maximum.at(longest, codes // self.most, codes % self.most + 1)
        sizes = np.array([0, *self.sizes])
        self._room = sizes[np.searchsorted(sizes, longest)].astype(np.int32)
        ends = np.cumsum(self._room, dtype=np.int64)
        self._begin, self._end = ends - self._room, int(ends[-1]) if slots else 0
        self.ids = np.full(self._end, FREE, np.int32)
        self.weights = np.zeros((self._end, weights.shape[1]), np.float32)
        flat = self._flat(codes)
        self.ids[flat], self.weights[flat] = ids, weights
