"""Find the entries of lists that lie one after the other, or in blocks, in a flat array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]


def flat_places(begins: Index, lengths: Index) -> Index:
    """Return the places of all entries of lists, one list after the other. begins, lengths: (n,).

    >>> flat_places(np.array([10, 40]), np.array([2, 3])).tolist()
    [10, 11, 40, 41, 42]
    """
    places: Index = np.arange(lengths.sum()) + np.repeat(begins - (np.cumsum(lengths) - lengths), lengths)
    return places
