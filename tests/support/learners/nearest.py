"""Ask an index for the highest scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.text.inverted_lists import VectorIndex
from models.text.nearest import Searched, nearest, room_to_find


def top(
    index: VectorIndex,
    vectors: NDArray[np.float32],
    query: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    k: int,
) -> list[int]:
    """Return the rows that a search finds."""
    found, closed = room_to_find(k, len(vectors)), np.zeros(len(vectors), np.int32)
    lists = index.lists(vectors, len(vectors))
    near = nearest(query, Searched(vectors, lists, allowed, closed, 1), found)
    rows: list[int] = found.rows[:near].tolist()
    return rows
