"""Blocks of some sizes in one flat array, for lists that grow.

A list that outgrows its block takes one of the next size. The block that it leaves waits for the next list of that
size, so nothing is moved but the list itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.tables.catalogue import grown

Index = NDArray[np.int64]
Held = TypeVar("Held", bound=tuple[Any, ...])
"""A named tuple of arrays with the lists, as a kernel sees them: also `sizes`, `left`, `left_n` and `end`."""


def sizes_up_to(most: int) -> Index:
    """Return the sizes of blocks for lists of at most `most` entries. At most a third of a block is empty.

    >>> sizes_up_to(20).tolist()
    [1, 2, 3, 4, 6, 8, 12, 16, 20]
    """
    sizes = [1, 2]
    while sizes[-1] < most:
        sizes += [sizes[-1] * 3 // 2, sizes[-1] * 2]
    return np.array([*(size for size in sizes if size < most), most], np.int64)


@kernel
def take_block(left: NDArray[Any], left_n: Index, end: Index, which: int, places: int) -> Any:
    """Return where a block of size number `which` begins: one that was left behind, else a new one at `end`.

    left: (sizes, stack) blocks left behind; left_n: (sizes,) how many. end: (1,) the first place of no block. places:
    of a block of this size.
    """
    if left_n[which] > 0:
        left_n[which] -= 1
        return left[which, left_n[which]]
    begin = end[0]
    end[0] += places
    return begin


@kernel
def size_for(sizes: Index, entries: int | np.int64) -> int:
    """Return the number of the first size that holds so many entries. sizes: ascending, the last holds them."""
    which = 0
    while sizes[which] < entries:
        which += 1
    return which


@kernel
def leave_block(left: NDArray[Any], left_n: Index, which: int, begin: int | np.int64) -> None:
    """Leave a block behind for another list. There must be room in `left`."""
    left[which, left_n[which]] = begin
    left_n[which] += 1


@kernel
def more_room(sizes: Index, lists: Index, entries: NDArray[Any]) -> tuple[int, int, int]:
    """Return how many places, and how many blocks, lists take at most that get an entry each, one after the other.

    lists: (n,) their numbers; one may be there more than once. entries: (n,) what they have before. The third number
    returned is that of lists that were full, with as many entries as the last size.

    >>> more_room(np.array([1, 2, 4]), np.array([7, 8, 7]), np.array([0, 2, 0]))  # blocks of 1, 4 and 2
    (7, 3, 0)
    """
    places, blocks, full = 0, 0, 0
    for n in range(len(lists)):
        have = np.int64(entries[n])
        for earlier in range(n):
            have += lists[earlier] == lists[n]
        which = size_for(sizes, have) if have < sizes[-1] else -1
        if have == 0:
            places, blocks = places + sizes[0], blocks + 1
        elif which >= 0 and have == sizes[which]:
            places, blocks = places + sizes[which + 1], blocks + 1
        full += have == sizes[-1]
    return places, blocks, full


def mostly_left(sizes: Index, left_n: Index, end: int) -> bool:
    """Return whether over an eighth of the places up to `end` lie in blocks left behind: packing the lists frees them.

    This happens where many lists grow together, so that nobody wants the small blocks that they leave.
    """
    return int((sizes * left_n[: len(sizes)]).sum()) * 8 > end


def with_room(left: NDArray[Any], left_n: Index, blocks: int) -> NDArray[Any]:
    """Return `left` with room for `blocks` more blocks of each size: the same array, or a larger copy."""
    sizes, stack = left.shape
    if int(left_n.max()) + blocks <= stack:
        return left
    return np.concatenate([left, np.zeros((sizes, max(blocks, stack)), left.dtype)], 1)


def with_rows(arrays: Held, rows: int, names: Sequence[str]) -> Held:
    """Return the arrays, of which those of these names have at least so many rows."""
    held: Any = arrays
    wider: Held = held._replace(**{name: grown(getattr(held, name), rows) for name in names})
    return wider


def with_places(
    arrays: Held, names: Sequence[str], places: int, blocks: int, packed: Callable[[], Held]
) -> Held:
    """Return the arrays with room for so many more places, and for so many more blocks left behind.

    names: of the arrays with an entry a place. packed: returns the arrays with their lists next to each other. It is
    called if there is no room and much of it lies in blocks left behind.
    """
    held: Any = arrays
    if held.end[0] + places > len(getattr(held, names[0])):
        if mostly_left(held.sizes, held.left_n, int(held.end[0])):
            held = packed()
        arrays = with_rows(held, int(held.end[0]) + places, names)
    return with_blocks(arrays, blocks)


def with_blocks(arrays: Held, blocks: int) -> Held:
    """Return the arrays with room for so many more blocks left behind."""
    held: Any = arrays
    left = with_room(held.left, held.left_n, blocks)
    if left is held.left:
        return arrays
    roomy: Held = held._replace(left=left)
    return roomy
