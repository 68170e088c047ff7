"""Ask an index for the highest scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.text.inverted_lists import VectorIndex
from models.text.nearest import Searched, best_of, nearest


def top(
    index: VectorIndex,
    vectors: NDArray[np.float32],
    query: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    k: int,
) -> list[int]:
    """Return the rows that a search finds."""
    best, closed = best_of(k), np.zeros(len(vectors), np.int32)
    lists = index.lists(vectors, len(vectors))
    found = nearest(query, Searched(vectors, lists, allowed, closed, 1), best, best_of(256))
    rows: list[int] = best.rows[:found].tolist()
    return rows
