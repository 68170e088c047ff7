"""Bounded lists of weighted neighbours, as long as they are filled: many items have few."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.state.dirty_keys import Touched
from models.state.tracked_tables import Live, Places
from models.tables.catalogue import grown

SIZES = (16, 64, 256)
"""Places a list may have. Few sizes: what a list leaves behind as it grows fits only another of that size."""
FREE = -1
Index = NDArray[np.int64]


class Blocks(NamedTuple):
    """The lists as a kernel sees them.

    ids: (places,) neighbours, FREE for none. weights: (places, kinds). begin, room: (slots,) where a list's block is, 0
    places for a list without. sizes: (S,). left: (S, stack) blocks left behind, by size; left_n: (S,) how many. end:
    (1,) the first place of `ids` that no block takes.
    """

    ids: NDArray[np.int32]
    weights: NDArray[np.float32]
    begin: Index
    room: NDArray[np.int32]
    sizes: NDArray[np.int32]
    left: Index
    left_n: Index
    end: Index


@kernel
def grow(blocks: Blocks, slot: int) -> None:
    """Give the list a block of the next size; its neighbours keep their places. There must be room."""
    ids, weights, old = blocks.ids, blocks.weights, blocks.room[slot]
    size, which = old, 0
    for s in range(len(blocks.sizes)):
        if blocks.sizes[s] > old:
            size, which = blocks.sizes[s], s
            break
    if blocks.left_n[which] > 0:
        blocks.left_n[which] -= 1
        begin = blocks.left[which, blocks.left_n[which]]
    else:
        begin = blocks.end[0]
        blocks.end[0] += size
    was = blocks.begin[slot]
    for place in range(size):
        if place < old:
            ids[begin + place] = ids[was + place]
            weights[begin + place] = weights[was + place]
            ids[was + place] = FREE
        else:
            ids[begin + place] = FREE
            weights[begin + place] = 0
    if old > 0:
        blocks.left[which - 1, blocks.left_n[which - 1]] = was
        blocks.left_n[which - 1] += 1
    blocks.begin[slot], blocks.room[slot] = begin, size


@kernel
def seat(blocks: Blocks, slot: int, neighbour: int) -> int:
    """Return the neighbour's place in the list (flat). A new one takes a free place, else the weakest's, weightless."""
    ids, weights = blocks.ids, blocks.weights
    begin, room = blocks.begin[slot], blocks.room[slot]
    at = find(ids, begin, room, neighbour)
    if at >= 0:
        return at
    at = find(ids, begin, room, FREE)
    if at < 0 and room < blocks.sizes[-1]:
        grow(blocks, slot)
        at = blocks.begin[slot] + room
    elif at < 0:
        at = begin
        last = weights.shape[1] - 1
        for place in range(begin + 1, begin + room):
            if weights[place, last] < weights[at, last]:
                at = place
    ids[at] = neighbour
    weights[at] = 0
    return at


@kernel
def find(ids: NDArray[np.int32], begin: int, room: int, wanted: int) -> int:
    """Return where `wanted` stands in a block (flat), -1 without. Eight at a time, without a branch between."""
    end = begin + room
    for first in range(begin, end, 8):
        hit = False
        for place in range(first, first + 8):
            hit |= ids[place] == wanted
        if hit:
            for place in range(first, first + 8):
                if ids[place] == wanted:
                    return place
    return -1


class NeighbourLists(Live):
    """By slot, up to `SIZES[-1]` neighbours (int32) with a row of float32 weights each, in blocks of flat arrays.

    A place's code is `slot · SIZES[-1] + place`: marks and states know nothing of blocks. A free place has the
    neighbour -1 and no weight. With the default sizes and five weights a list takes 24 bytes a place: 384, 1,536 or
    6,144 bytes, and 12 beside; blocks left behind by lists that grew add up to a third, until new lists take them.
    """

    def __init__(self, kinds: int, sizes: tuple[int, ...] = SIZES) -> None:
        """kinds: weights a neighbour. sizes: places a list may have, multiples of 8."""
        self.sizes, self.most = sizes, sizes[-1]
        self.written = Touched()
        self._clear(kinds)

    def _clear(self, kinds: int) -> None:
        self.ids = np.zeros(0, np.int32)
        self.weights = np.zeros((0, kinds), np.float32)
        self._begin = np.zeros(0, np.int64)
        self._room = np.zeros(0, np.int32)
        """(slots,): 0 for a list without a block."""
        self._end = np.zeros(1, np.int64)
        self._left = np.zeros((len(self.sizes), 64), np.int64)
        self._left_n = np.zeros(len(self.sizes), np.int64)

    @property
    def end(self) -> int:
        """The first place that no block takes."""
        return int(self._end[0])

    def claim(self, slot: int) -> None:
        """Make the slot exist."""
        self._begin, self._room = grown(self._begin, slot + 1), grown(self._room, slot + 1)

    def reserve(self, growths: int) -> None:
        """Make room for so many lists to grow."""
        free = self.end + growths * self.most
        self.ids, self.weights = grown(self.ids, free), grown(self.weights, free)
        if self._left.shape[1] < int(self._left_n.max()) + growths:
            self._left = np.concatenate(
                [self._left, np.zeros((len(self.sizes), max(growths, self._left.shape[1])), np.int64)], 1
            )

    def blocks(self) -> Blocks:
        """Return the lists as a kernel sees them."""
        return Blocks(
            self.ids, self.weights, self._begin, self._room, np.array(self.sizes, np.int32),
            self._left, self._left_n, self._end,
        )  # fmt: skip

    def places(self, slots: Index) -> tuple[Index, Index]:
        """Return all places of these lists, one list after the other: which of `slots`, and where in the flat arrays.

        -1 stands for no list."""
        there = np.flatnonzero(slots >= 0)
        room = self._room[slots[there]].astype(np.int64)
        of = np.repeat(there, room)
        within = np.arange(len(of)) - np.repeat(np.cumsum(room) - room, room)
        return of, self._begin[slots[of]] + within

    def _ids_of(self, slot: int) -> NDArray[np.int32]:
        return self.ids[self._begin[slot] : self._begin[slot] + self._room[slot]]

    def drop(self, slot: int) -> None:
        """Empty the list."""
        held = np.flatnonzero(self._ids_of(slot) != FREE)
        self.written.update((slot * self.most + held).tolist())
        room = int(self._room[slot])
        if room:
            self.reserve(1)
            self._ids_of(slot)[:] = FREE
            which = self.sizes.index(room)
            self._left[which, self._left_n[which]] = self._begin[slot]
            self._left_n[which] += 1
            self._room[slot] = 0

    def remove(self, gone: NDArray[np.bool_]) -> None:
        """Take these neighbours, (slots,), out of all lists."""
        end = self.end
        ids = self.ids[:end]
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
        self._clear(weights.shape[1])
        self.written.everything()
        longest = np.zeros(slots, np.int64)
        np.maximum.at(longest, codes // self.most, codes % self.most + 1)
        sizes = np.array([0, *self.sizes])
        self._room = sizes[np.searchsorted(sizes, longest)].astype(np.int32)
        ends = np.cumsum(self._room, dtype=np.int64)
        self._begin, self._end[0] = ends - self._room, int(ends[-1]) if slots else 0
        self.ids = np.full(int(self._end[0]), FREE, np.int32)
        self.weights = np.zeros((len(self.ids), weights.shape[1]), np.float32)
        flat = self._flat(codes)
        self.ids[flat], self.weights[flat] = ids, weights
