"""Blocks of some sizes in one flat array, for lists that grow.

A list that outgrows its block takes one of the next size. The block that it leaves waits for the next list of that
size, so nothing is moved but the list itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel

Index = NDArray[np.int64]


@kernel
def take_block(left: Index, left_n: Index, end: Index, which: int, places: int) -> Any:
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
def leave_block(left: Index, left_n: Index, which: int, begin: int) -> None:
    """Leave a block behind for another list. There must be room in `left`."""
    left[which, left_n[which]] = begin
    left_n[which] += 1


def with_room(left: Index, left_n: Index, blocks: int) -> Index:
    """Return `left` with room for `blocks` more blocks of each size: the same array, or a larger copy."""
    sizes, stack = left.shape
    if int(left_n.max()) + blocks <= stack:
        return left
    return np.concatenate([left, np.zeros((sizes, max(blocks, stack)), np.int64)], 1)
