"""Rank items by the network's affinity: how near an item is to the user, compared with the other candidates."""

from __future__ import annotations

import numpy as np

from models.kernels import finite, kernel
from models.signals.signal import Column, Columns
from models.text.nearest import dot


@kernel
def standardised_affinity(columns: Columns, column: int) -> None:
    """Fill `(a - mean a) / sd a`, where a is the dot product of user and item. Without a network fill 0.

    Mean and standard deviation are those of the candidates. A product that is not finite counts 0.
    """
    vector, vectors = columns.asked.vector[columns.event], columns.items.network
    values, count = columns.values[column], columns.size
    if len(vectors) == 0 or count == 0:
        values[:count] = 0
        return
    total = 0.0
    for c in range(count):
        affinity = dot(vector, vectors[columns.rows[c]])
        values[c] = affinity if finite(affinity) else np.float32(0)
        total += values[c]
    mean, squares = total / count, 0.0
    for c in range(count):
        squares += (values[c] - mean) ** 2
    scale = 1.0 / (np.sqrt(squares / count) + 1e-9)
    for c in range(count):
        values[c] = np.float32((values[c] - mean) * scale)


COLUMNS = (Column("affinity", (-1.0, 0.0, 1.0, 2.0)),)
