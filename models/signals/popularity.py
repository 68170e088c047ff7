"""How much an item is in demand: decayed event counts at several half-lives, and their top lists."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.signals.signal import Column, Query, Signal
from models.state.dirty_keys import Touched
from models.state.tracked_tables import LiveRows, Rows
from models.tables.catalogue import grown
from models.text.top_k import leading

DAY = 86400.0
TIMES = {"1d": DAY, "3d": 3 * DAY, "30d": 30 * DAY, "ever": np.inf}
EVENTS = {"1000_events": 1000.0}
"""Half-lives counted in events of the domain: a clock that runs with the traffic, where days do not."""
HALF_LIVES = {**TIMES, **EVENTS}
EVER = list(HALF_LIVES).index("ever")
TOP = 512


class Popularity(LiveRows):
    """Counts of one domain's events, `c_i(t) = Σ 2^(-(t - t_event) / half-life)`, kept as logarithms.

    Forward decay (Cormode et al., ICDE 2009): `log c_i(t) = L_i - (t - t_0) ln 2 / half-life`, where one
    event only touches its own `L_i`. All items fade by the same shift, so an event can move its own item
    up and nothing else: top lists stay exact at a few microseconds an event.
    """

    def __init__(self, listed: bool = True) -> None:
        """listed: False for a domain without lists, of which nobody asks the top."""
        self._listed = listed
        self.written = Touched()
        """Item rows."""
        self.rates = np.log(2.0) / np.array(list(HALF_LIVES.values()))
        self.start = np.nan
        self.newest = -np.inf
        self.events = 0
        self.logs = np.zeros((0, len(HALF_LIVES)))
        """(rows, half-lives) float64: `L`."""
        self.first = np.zeros(0)
        """(rows,): time of the item's first event, nan without one."""
        self._top = np.zeros((len(HALF_LIVES), 0), np.int64)

    def _shift(self, time: float) -> NDArray[np.float64]:
        """(half-lives,): `(t - t_0) ln 2 / half-life`, by the clock of each."""
        shift: NDArray[np.float64] = self.rates * (0.0 if np.isnan(self.start) else time - self.start)
        shift[len(TIMES) :] = self.rates[len(TIMES) :] * self.events
        return shift

    def add(self, row: int, time: float) -> None:
        old = len(self.logs)
        for name in ("logs", "first"):
            setattr(self, name, grown(getattr(self, name), row + 1))
        self.logs[old:], self.first[old:] = -np.inf, np.nan
        self.written.update(range(old, len(self.logs)))
        if np.isnan(self.start):
            self.start = time
        self.newest = max(self.newest, time)
        self.events += 1
        if self.logs[row, 0] == -np.inf:
            self.first[row] = time
            if self._listed and self._top.shape[1] < TOP:
                self._top = np.column_stack([self._top, np.full(len(self._top), row)])
        self.logs[row] = np.logaddexp(self.logs[row], self._shift(time))
        if not self._listed:
            return
        listed, places = np.nonzero(self._top == row)
        held = dict(zip(listed.tolist(), places.tolist(), strict=True))
        for h, top in enumerate(self._top):
            _promote(top, self.logs[:, h], row, held.get(h))

    def log_counts(self, rows: NDArray[np.int64], now: float) -> NDArray[np.float64]:
        """(len(rows), half-lives): `log c(t)`, -inf for an item without events.

        A `now` before the newest event counts as the newest.
        """
        logs = np.full((len(rows), len(HALF_LIVES)), -np.inf)
        held = rows < len(self.logs)
        logs[held] = self.logs[rows[held]] - self._shift(max(now, self.newest))
        return logs

    def counts_ever(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(len(rows),): how many events each item has had, at least 1 (it divides)."""
        logs = np.zeros(len(rows))
        held = rows < len(self.logs)
        logs[held] = self.logs[rows[held], EVER]
        return np.maximum(np.exp(logs), 1.0)

    def count(self, name: str, row: int, now: float) -> float:
        """`c(t)` of one item at one half-life."""
        h = list(HALF_LIVES).index(name)
        return (
            math.exp(self.logs[row, h] - self._shift(max(now, self.newest))[h])
            if row < len(self.logs)
            else 0.0
        )

    def surprise(self, row: int) -> float:
        """`-log p` of an event on this item, where p is its share of all events so far (each item counts one more)."""
        count = math.exp(self.logs[row, EVER]) if row < len(self.logs) else 0.0
        return math.log((self.events + len(self.logs) + 1) / (count + 1.0))

    def ages(self, rows: NDArray[np.int64], now: float) -> NDArray[np.float64]:
        """(len(rows),): `1 + log(1 + days since the item's first event)`, 0 without events."""
        ages = np.zeros(len(rows))
        held = rows < len(self.first)
        since = np.maximum(max(now, self.newest) - self.first[rows[held]], 0.0) / DAY
        ages[held] = np.where(np.isnan(since), 0.0, 1.0 + np.log1p(since))
        return ages

    def column(self, name: str, rows: int, now: float) -> NDArray[np.float64]:
        """(rows,): `log c(t)` of all items at one half-life."""
        h = list(HALF_LIVES).index(name)
        logs = np.full(rows, -np.inf)
        held = min(rows, len(self.logs))
        logs[:held] = self.logs[:held, h] - self._shift(max(now, self.newest))[h]
        return logs

    def top(self, name: str) -> NDArray[np.int64]:
        """Up to 512 rows, most in demand first (the latest first among equals)."""
        top: NDArray[np.int64] = self._top[list(HALF_LIVES).index(name)]
        return top

    def drop(self, row: int) -> None:
        """The row stands for another item from now on."""
        if row >= len(self.logs) or self.logs[row, EVER] == -np.inf:
            return
        self.logs[row], self.first[row] = -np.inf, np.nan
        inside = (self._top == row).any(1)
        if not inside.any():
            return
        known = np.flatnonzero(self.logs[:, EVER] > -np.inf)
        if len(known) < self._top.shape[1]:  # every list held all there is
            self._top = self._top[self._top != row].reshape(len(inside), len(known))
            return
        for h in np.flatnonzero(inside):
            kept = self._top[h][self._top[h] != row]
            rest = np.setdiff1d(known, kept, assume_unique=True)
            self._top[h] = np.append(kept, rest[self.logs[rest, h].argmax()])

    def end_future(self, now: float) -> None:
        """Nothing counts as later than `now` (s): what was counted after it counts as of `now`.

        A decayed count is at most the count of ever, so a row whose count at `now` would be more was counted later. It
        keeps the count that it had at the newest time. One that was counted before that time only is as it was: its
        count at `now`, which the later time had wiped out, is there again.
        """
        if self.newest <= now:
            return
        timed = slice(len(TIMES))
        then, at_now = self._shift(self.newest)[timed], self._shift(now)[timed]
        logs = self.logs[:, timed]
        most = logs[:, [EVER]] + at_now
        later = logs > most
        logs[later] = np.minimum(logs - then + at_now, most)[later]
        self.first = np.minimum(self.first, now)
        self.newest = now
        self.written.update(range(len(self.logs)))
        if self._listed:
            self._relist()

    def live(self) -> dict[str, Any]:
        rows = {name: Rows(self.written, getattr(self, name)) for name in ("logs", "first")}
        numbers = {"start": self.start, "newest": self.newest, "events": self.events}
        return {**numbers, **rows, "_top": self._top}

    def load(self, state: dict[str, Any]) -> None:
        self.start, self.newest = float(state["start"]), float(state["newest"])
        self.events = int(state["events"])
        for name in ("logs", "first", "_top"):
            setattr(self, name, state[name].copy())
        if self._listed != bool(self._top.shape[1]):  # made while the domain had no lists, or had some
            self._relist()

    def _relist(self) -> None:
        """The top lists, from the counts."""
        known = np.flatnonzero(self.logs[:, EVER] > -np.inf) if self._listed else np.zeros(0, np.int64)
        order = [known[leading(logs, TOP)] for logs in self.logs[known].T]
        self._top = np.array(order, np.int64).reshape(len(HALF_LIVES), -1)


def _promote(top: NDArray[np.int64], logs: NDArray[np.float64], row: int, held: int | None) -> None:
    """Moves `row`, whose log count has just risen, to its place in a list sorted by descending log count.

    held: where it stands now, None if it is not listed.
    """
    risen = logs[row]
    end = len(top) - 1 if held is None else held
    if held is None and logs[top[end]] > risen:
        return
    place = bisect_left(top, -risen, 0, end, key=lambda other: -logs[other])
    top[place + 1 : end + 1] = top[place:end].copy()
    top[place] = row


def log_demand(query: Query) -> NDArray[np.float64]:
    """(C, half-lives): `log(1 + 10 c(t))` of each candidate."""
    logs = query.statistics.popularity[query.domain].log_counts(query.rows, query.time)
    demand: NDArray[np.float64] = np.log1p(10 * np.exp(logs))
    return demand


_PRIOR = {"3d": 0.3, "30d": 0.3}
SIGNAL = Signal(
    tuple(
        Column(f"popularity_{name}", (1.3, 2.8, 4.3, 5.8), _PRIOR.get(name, 0.0), ranks_alone=True)
        for name in HALF_LIVES
    ),
    log_demand,
)
