"""The signal of age: how long ago the first event of an item was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.signals.signal import Column, Query, Signal


def log_age(query: Query) -> NDArray[np.float64]:
    """(C, 1): `1 + log(1 + days since the item's first event)`, 0 for an item without events."""
    return query.statistics.popularity[query.domain].ages(query.rows, query.time)[:, None]


SIGNAL = Signal((Column("age", (2.0, 4.5, 6.5, 8.0)),), log_age)
