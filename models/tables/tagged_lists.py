"""Short lists of each user, whose places hold a tag of an item, in a flat array."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel


@kernel
def replace_list(held: NDArray[Any], row: int, tags: NDArray[Any], places: NDArray[np.int32]) -> None:
    """Let a row's list hold these tags, (n,), from now on.

    held: (rows, top) tags, 0 at an empty place; places: (tags + 1,) how many places hold each tag. Both are written.
    """
    for k in range(held.shape[1]):
        places[held[row, k]] -= 1
        held[row, k] = tags[k] if k < len(tags) else 0
        places[held[row, k]] += 1


@kernel
def count_places(held: NDArray[Any], places: NDArray[np.int32]) -> None:
    """Add up how many places hold each tag. held: (rows, top); places: (tags + 1,), written."""
    for row in range(held.shape[0]):
        for k in range(held.shape[1]):
            places[held[row, k]] += 1


@kernel
def find_lists(
    held: NDArray[Any], wanted: NDArray[np.bool_], begin: int, most: int, out: NDArray[np.int64]
) -> tuple[int, int]:
    """Write rows whose list holds a wanted tag to `out`, (limit,), and return how many, and where to go on.

    Read at most `most` rows, each once, from `begin` on and around the end. wanted: (tags + 1,), False for 0.
    """
    found, row = 0, begin
    for _ in range(min(most, len(held))):
        if found == len(out):
            break
        if row >= len(held):
            row = 0
        hit = False
        for k in range(held.shape[1]):
            hit |= wanted[held[row, k]]
        if hit:
            out[found] = row
            found += 1
        row += 1
    return found, row
