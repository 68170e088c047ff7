"""Compute popularity by its definition: every event is kept, and every count is a sum over all events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.tables.decayed_counts import EVENTS, TIMES


class PlainPopularity:
    """`c_i(t) = Σ 2^(-(t - t_event) / half-life)`; a late event counts as of the newest time."""

    def __init__(self) -> None:
        self.rows = np.zeros(0, np.int64)
        self.times = np.zeros(0)
        self.numbers = np.zeros(0)
        self.newest, self.seen = -np.inf, 0

    def add(self, row: int, time: float) -> None:
        self.newest, self.seen = max(self.newest, time), self.seen + 1
        self.rows = np.append(self.rows, row)
        self.times = np.append(self.times, self.newest)
        self.numbers = np.append(self.numbers, self.seen)

    def drop(self, row: int) -> None:
        kept = self.rows != row
        self.rows, self.times, self.numbers = self.rows[kept], self.times[kept], self.numbers[kept]

    def values(self, rows: int, now: float) -> NDArray[np.float64]:
        """Return (rows, half-lives)."""
        age = max(now, self.newest) - self.times
        columns = [2.0 ** (-age / half_life) for half_life in TIMES.values()]
        columns += [2.0 ** (-(self.seen - self.numbers) / half_life) for half_life in EVENTS.values()]
        return np.stack([np.bincount(self.rows, column, rows) for column in columns], 1)
