"""Rank items by age: how long ago the first event of an item was."""

from __future__ import annotations

import numpy as np

from models.kernels import kernel
from models.signals.signal import Column, Columns
from models.tables.decayed_counts import DAY, EVER, NEWEST


@kernel
def age(columns: Columns, column: int) -> None:
    """Fill `e · (1 + days) - 1` of each candidate, which `log1p` makes `1 + log(1 + days)`; 0 without events."""
    items = columns.items
    now = max(columns.asked.time[columns.event], items.clock[NEWEST])
    values = columns.values[column]
    for c in range(columns.size):
        row = columns.rows[c]
        days = max(now - items.first[row], 0.0) / DAY
        values[c] = np.float32(np.e * (1.0 + days) - 1.0) if items.counts[row, EVER] > 0 else np.float32(0)


COLUMNS = (Column("age", (2.0, 4.5, 6.5, 8.0), log=True),)
