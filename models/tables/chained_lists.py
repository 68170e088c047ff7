"""Short lists of each user, with a chain through all places that hold the same item: doubly linked, in flat arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel


class Links(NamedTuple):
    """All lists and chains. A place is `row · top + k`; places and chains are kept one higher, 0 for none.

    held: (rows, top) chain of each place. following, preceding: (rows, top) the next places of its chain. first:
    (chains,) a chain's first place. length: (chains,) its places.
    """

    held: NDArray[np.int32]
    following: NDArray[Any]
    preceding: NDArray[Any]
    first: NDArray[Any]
    length: NDArray[np.int32]


@kernel
def unlink(links: Links, row: int) -> None:
    """Empty the list of a row."""
    held, following, preceding, first, length = links
    top = held.shape[1]
    for k in range(top):
        chain = held[row, k] - 1
        if chain < 0:
            continue
        after, before = following[row, k], preceding[row, k]
        if before > 0:
            following[(before - 1) // top, (before - 1) % top] = after
        else:
            first[chain] = after
        if after > 0:
            preceding[(after - 1) // top, (after - 1) % top] = before
        length[chain] -= 1
        held[row, k] = following[row, k] = preceding[row, k] = 0


@kernel
def link(links: Links, row: int) -> None:
    """Put the places of a row's list, which `held` has, at the beginning of their chains. No chain is there twice."""
    held, following, preceding, first, length = links
    top = held.shape[1]
    for k in range(top):
        chain, place = held[row, k] - 1, row * top + k + 1
        if chain < 0:
            continue
        after = first[chain]
        following[row, k], preceding[row, k] = after, 0
        if after > 0:
            preceding[(after - 1) // top, (after - 1) % top] = place
        first[chain] = place
        length[chain] += 1


@kernel
def link_all(links: Links) -> None:
    """Link all lists: each chain in the order of its rows. No chain may have a place yet."""
    for row in range(len(links.held) - 1, -1, -1):
        link(links, row)
