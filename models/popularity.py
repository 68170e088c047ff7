"""How much an item is in demand: decayed event counts at several half-lives, and their top lists."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.catalogue import grown

HOUR = 3600.0
DAY = 24 * HOUR
HALF_LIVES = {"1d": DAY, "3d": 3 * DAY, "30d": 30 * DAY, "ever": np.inf}
TOP = 512


class Popularity:
    """Counts of one domain's events, `c_i(t) = Σ 2^(-(t - t_event) / half-life)`, kept as logarithms.

    Forward decay (Cormode et al., ICDE 2009): `log c_i(t) = L_i - (t - t_0) ln 2 / half-life`, where one
    event only touches its own `L_i`. All items fade by the same shift, so an event can move its own item
    up and nothing else: top lists stay exact at a few microseconds an event.
    """

    def __init__(self) -> None:
        self.rates = np.log(2.0) / np.array(list(HALF_LIVES.values()))
        self.start: float | None = None
        self.newest = -np.inf
        self.logs = np.full((0, len(HALF_LIVES)), -np.inf)
        """(rows, half-lives) float64: `L`."""
        self._top = np.zeros((len(HALF_LIVES), 0), np.int64)

    def _grow(self, rows: int) -> None:
        old = len(self.logs)
        if rows > old:
            self.logs = grown(self.logs, rows)
            self.logs[old:] = -np.inf

    def add(self, row: int, time: float) -> None:
        self._grow(row + 1)
        if self.start is None:
            self.start = time
        self.newest = max(self.newest, time)
        self.logs[row] = np.logaddexp(self.logs[row], self.rates * (time - self.start))
        if not (self._top[0] == row).any() and self._top.shape[1] < TOP:
            self._top = np.column_stack([self._top, np.full(len(self._top), row)])
        for h, top in enumerate(self._top):
            _promote(top, self.logs[:, h], row)

    def log_counts(self, rows: NDArray[np.int64], now: float) -> NDArray[np.float64]:
        """(len(rows), half-lives): `log c(t)`, -inf for an item without events.

        A `now` before the newest event counts as the newest.
        """
        logs = np.full((len(rows), len(HALF_LIVES)), -np.inf)
        if self.start is not None:
            held = rows < len(self.logs)
            logs[held] = self.logs[rows[held]] - self.rates * (max(now, self.newest) - self.start)
        return logs

    def column(self, name: str, rows: int, now: float) -> NDArray[np.float64]:
        """(rows,): `log c(t)` of all items at one half-life."""
        h = list(HALF_LIVES).index(name)
        logs = np.full(rows, -np.inf)
        if self.start is not None:
            held = min(rows, len(self.logs))
            logs[:held] = self.logs[:held, h] - self.rates[h] * (max(now, self.newest) - self.start)
        return logs

    def top(self, name: str) -> NDArray[np.int64]:
        """Up to 512 rows, most in demand first (the latest first among equals)."""
        top: NDArray[np.int64] = self._top[list(HALF_LIVES).index(name)]
        return top

    def drop(self, row: int) -> None:
        """The row stands for another item from now on."""
        if row >= len(self.logs) or self.logs[row, -1] == -np.inf:
            return
        self.logs[row] = -np.inf
        known = np.flatnonzero(self.logs[:, -1] > -np.inf)
        order = np.argsort(-self.logs[known], axis=0, kind="stable")[:TOP]
        self._top = np.ascontiguousarray(known[order].T)

    def state(self) -> dict[str, Any]:
        return {
            "start": np.nan if self.start is None else self.start,
            "newest": self.newest,
            "logs": self.logs.copy(),
            "top": self._top.copy(),
        }

    def load(self, state: dict[str, Any]) -> None:
        start = float(state["start"])
        self.start = None if np.isnan(start) else start
        self.newest = float(state["newest"])
        self.logs, self._top = state["logs"].copy(), state["top"].copy()


def _promote(top: NDArray[np.int64], logs: NDArray[np.float64], row: int) -> None:
    """Moves `row`, whose log count has just risen, to its place in a list sorted by descending log count."""
    at = np.flatnonzero(top == row)
    end = int(at[0]) if len(at) else len(top) - 1
    if not len(at) and logs[top[end]] > logs[row]:
        return
    place = int(np.searchsorted(-logs[top[:end]], -logs[row], side="left"))
    top[place + 1 : end + 1] = top[place:end].copy()
    top[place] = row
