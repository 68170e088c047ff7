"""Keep tables with a row an item for all domains in one array, because compiled functions take one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.state.growing import room


def widened(table: NDArray[Any], sizes: Sequence[int], rows: int) -> NDArray[Any]:
    """Return `table` (D, capacity, …) with a capacity of at least `rows`: the same one, or a larger copy with zeros.

    sizes: (D,) the rows in use of each domain. The other rows are zero and take no memory until they are written.
    """
    capacity = table.shape[1]
    if rows <= capacity:
        return table
    bigger = np.zeros((len(table), room(rows, capacity), *table.shape[2:]), table.dtype)
    for domain, size in enumerate(sizes):
        bigger[domain, :size] = table[domain, :size]
    return bigger


def stacked(tables: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the tables of D domains, (rows, …) each, as one table (D, capacity, …)."""
    sizes = [len(table) for table in tables]
    first = tables[0]
    empty = np.zeros((len(tables), 0, *first.shape[1:]), first.dtype)
    whole = widened(empty, [0] * len(tables), max(sizes))
    for domain, table in enumerate(tables):
        whole[domain, : len(table)] = table
    return whole
