"""Keep a bounded list of weighted neighbours for each slot. A list grows as it fills, because most items have few."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.state.dirty_keys import DirtyKeys
from models.state.flat_lists import flat_places
from models.state.tracked_tables import Checkpointed, SparsePlaces
from models.tables.catalogue import grown
from models.tables.flat_blocks import leave_block, take_block, with_room

SIZES = (16, 64, 256)
"""Numbers of places that a list may have. There are few, because a block that is left behind only fits its own size."""
FREE = -1
Index = NDArray[np.int64]


class Blocks(NamedTuple):
    """The lists as a kernel sees them: each list has one block of consecutive places.

    ids: (places,) neighbours, or FREE. weights: (places, kinds). begin, room: (slots,) first place and length of each
    list's block; room is 0 for a list without a block. sizes: (S,). left: (S, stack) first places of the blocks left
    behind, by size. left_n: (S,) their number. end: (1,) the first place that no block takes.
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
    """Give the list a block of the next size, in which its neighbours keep their places.

    The caller reserves memory before, see `NeighbourLists.reserve`.
    """
    ids, weights, old = blocks.ids, blocks.weights, blocks.room[slot]
    size, which = old, 0
    for s in range(len(blocks.sizes)):
        if blocks.sizes[s] > old:
            size, which = blocks.sizes[s], s
            break
    begin = take_block(blocks.left, blocks.left_n, blocks.end, which, size)
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
        leave_block(blocks.left, blocks.left_n, which - 1, was)
    blocks.begin[slot], blocks.room[slot] = begin, size


@kernel
def seat(blocks: Blocks, slot: int, neighbour: int) -> int:
    """Return the neighbour's place in `ids`.

    A new neighbour takes a free place, or the place of the neighbour with the lowest last weight, and has zero weights.
    """
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
    """Return the first place of `wanted` in a block, as an index of `ids`, or -1.

    The loop has no exit and keeps numbers of 32 bits, so that the compiler compares many places at once.
    """
    held, none = ids[begin : begin + room], np.int32(room)
    at = none
    for place in range(len(held)):
        at = min(at, np.int32(place) if held[place] == wanted else none)
    return begin + int(at) if at < room else -1


class NeighbourLists(Checkpointed):
    """Lists of up to `SIZES[-1]` neighbours (int32), each with a row of float32 weights, in blocks of flat arrays.

    The *code* of a place is `slot · SIZES[-1] + place in the list`. Marks and states use codes, because blocks move. A
    free place has the neighbour -1 and zero weights. With the default sizes and five weights a place takes 24 bytes, so
    a list takes 384, 1,536 or 6,144 bytes, and 12 more. Blocks left behind by lists that grew add up to a third, until
    new lists take them.
    """

    def __init__(self, kinds: int, sizes: tuple[int, ...] = SIZES) -> None:
        """Begin without lists. kinds: the number of weights of a neighbour. sizes: lengths of lists, multiples of 8."""
        self.sizes, self.most = sizes, sizes[-1]
        self.written = DirtyKeys()
        self._clear(kinds)

    def _clear(self, kinds: int) -> None:
        self.ids = np.zeros(0, np.int32)
        self.weights = np.zeros((0, kinds), np.float32)
        self._begin = np.zeros(0, np.int64)
        self._room = np.zeros(0, np.int32)
        """(slots,): length of each list's block, 0 for a list without one."""
        self._end = np.zeros(1, np.int64)
        self._left = np.zeros((len(self.sizes), 64), np.int64)
        self._left_n = np.zeros(len(self.sizes), np.int64)

    @property
    def end(self) -> int:
        """The first place that no block takes, as an index of `ids`."""
        return int(self._end[0])

    def claim(self, slot: int) -> None:
        """Add an empty list at this slot."""
        self._begin, self._room = grown(self._begin, slot + 1), grown(self._room, slot + 1)

    def reserve(self, growths: int) -> None:
        """Allocate memory for this many growths of lists."""
        free = self.end + growths * self.most
        if free > len(self.ids):
            free += len(self.ids) // 4  # they are the largest tables: copy them seldom
        self.ids, self.weights = grown(self.ids, free), grown(self.weights, free)
        self._left = with_room(self._left, self._left_n, growths)

    def blocks(self) -> Blocks:
        """Return the lists as a kernel sees them."""
        return Blocks(
            self.ids, self.weights, self._begin, self._room, np.array(self.sizes, np.int32),
            self._left, self._left_n, self._end,
        )  # fmt: skip

    def places(self, slots: Index) -> tuple[Index, Index]:
        """Return all places of these lists, one list after the other: index in `slots`, and index in `ids`; both (n,).

        slots: -1 stands for no list.
        """
        there = np.flatnonzero(slots >= 0)
        room = self._room[slots[there]].astype(np.int64)
        return np.repeat(there, room), flat_places(self._begin[slots[there]], room)

    def _ids_of(self, slot: int) -> NDArray[np.int32]:
        return self.ids[self._begin[slot] : self._begin[slot] + self._room[slot]]

    def drop(self, slot: int) -> None:
        """Empty the list of this slot."""
        held = np.flatnonzero(self._ids_of(slot) != FREE)
        self.written.update((slot * self.most + held).tolist())
        room = int(self._room[slot])
        if room:
            self.reserve(1)
            self._ids_of(slot)[:] = FREE
            leave_block(self._left, self._left_n, self.sizes.index(room), self._begin[slot])
            self._room[slot] = 0

    def remove(self, gone: NDArray[np.bool_]) -> None:
        """Remove neighbours from all lists. gone: (slots,) whether each is removed."""
        end = self.end
        ids = self.ids[:end]
        flat = np.flatnonzero(gone[ids] & (ids != FREE))
        slots = np.flatnonzero(self._room)
        slots = slots[np.argsort(self._begin[slots])]
        of = slots[
            np.searchsorted(self._begin[slots], flat, side="right") - 1
        ]  # no neighbour lies in a block that was left behind, so each place found belongs to the block before it
        self.ids[flat], self.weights[flat] = FREE, 0.0
        self.written.update((of * self.most + flat - self._begin[of]).tolist())

    def filled(self) -> Index:
        """Return the codes of all places with a neighbour, (n,) ascending."""
        slots = np.arange(len(self._room))
        of, flat = self.places(slots)
        used = self.ids[flat] != FREE
        codes: Index = of[used] * self.most + flat[used] - self._begin[of[used]]
        return codes

    def _flat(self, codes: Index) -> Index:
        return self._begin[codes // self.most] + codes % self.most

    def columns(self, codes: Index) -> dict[str, NDArray[Any]]:
        """Return neighbours (n,) and weights (n, kinds) at these codes, (n,): -1 and zeros without a neighbour."""
        there = codes % self.most < self._room[codes // self.most]
        flat = self._flat(codes[there])
        ids = np.full(len(codes), FREE, np.int32)
        weights = np.zeros((len(codes), self.weights.shape[1]), np.float32)
        ids[there], weights[there] = self.ids[flat], self.weights[flat]
        return {"ids": ids, "weights": weights}

    def live(self) -> SparsePlaces:
        """Return what `load` takes."""
        return SparsePlaces(self.written, self.filled, self.columns)

    def load(self, state: dict[str, Any], slots: int) -> None:
        """Load a state. slots: the number of lists."""
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
