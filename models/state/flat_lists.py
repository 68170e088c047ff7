"""Find the entries of lists that lie one after the other, or in blocks, in a flat array."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel

Index = NDArray[np.int64]


def flat_places(begins: Index, lengths: Index) -> Index:
    """Return the places of all entries of lists, one list after the other. begins, lengths: (n,).

    >>> flat_places(np.array([10, 40]), np.array([2, 3])).tolist()
    [10, 11, 40, 41, 42]
    """
    places: Index = np.arange(lengths.sum()) + np.repeat(begins - (np.cumsum(lengths) - lengths), lengths)
    return places


class ListMoves(NamedTuple):
    """Where n lists go: entry k of a list comes from `start + k`, and goes to `begin + (first + k) modulo ring`.

    start, lengths, begins, first: (n,).
    """

    start: Index
    lengths: Index
    begins: Index
    first: Index
    ring: int


def lay_out(values: NDArray[Any], moves: ListMoves, out: NDArray[Any]) -> None:
    """Copy the entries of lists into their blocks. values, out: (places,); out is written.

    >>> out = np.zeros(6, np.int8)
    >>> two = ListMoves(np.array([0, 2]), np.array([2, 3]), np.array([0, 3]), np.array([0, 1]), ring=3)
    >>> lay_out(np.array([1, 2, 3, 4, 5], np.int8), two, out)
    >>> out.tolist()
    [1, 2, 0, 5, 3, 4]
    """
    bits = f"i{out.itemsize}"  # so that one kernel copies all types of a size
    _lay_out(values.astype(out.dtype, copy=False).view(bits), moves, out.view(bits))


@kernel
def _lay_out(values: NDArray[Any], moves: ListMoves, out: NDArray[Any]) -> None:
    """See `lay_out`."""
    start, lengths, begins, first, ring = moves
    for n in range(len(lengths)):
        at = first[n] % ring
        for k in range(lengths[n]):
            out[begins[n] + at] = values[start[n] + k]
            at = at + 1 if at + 1 < ring else 0
