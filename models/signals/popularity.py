"""Measure the demand for items: decayed event counts at several half-lives, and their top lists."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.signals.signal import Column, Columns
from models.state.dirty_keys import DirtyKeys
from models.state.growing import Growing
from models.state.tracked_tables import CheckpointedRows, Rows
from models.tables.decayed_counts import (
    BY_EVENTS,
    EVER,
    HALF_LIVES,
    HELD,
    KNOWN,
    NEWEST,
    RATES,
    REBASE,
    SEEN,
    SEEN_START,
    START,
    TIMES,
    TOP,
    fold,
    growth,
    lower,
)
from models.text.top_k import top_k_sorted

SCALE = 10.0
"""Ten current events count as much as a whole one in `log(1 + 10 c)`."""


class Popularity(CheckpointedRows):
    """Counts of one domain's events, `c_i(t) = Σ 2^(-(t - t_event) / half-life)`.

    Forward decay (Cormode et al., ICDE 2009): `c_i(t) = C_i / growth(t)`, where an event only changes its own `C_i`.
    All items fade by the same factor. So an event only moves its own item up, and the top lists stay exact.

    >>> popularity = Popularity()
    >>> popularity.add(row=0, time=0.0)
    >>> popularity.add(row=0, time=86400.0)
    >>> round(popularity.count("1d", row=0, now=172800.0), 6)  # 1/4 of the first event, 1/2 of the second
    0.75
    """

    def __init__(self, has_lists: bool = True, written: DirtyKeys | None = None) -> None:
        """Begin without events. has_lists: whether the domain has lists, which need tops. written: dirty item rows."""
        self.written = written or DirtyKeys()
        self.clock = np.array([np.nan, -np.inf, 0.0, 0.0, 0.0, 0.0])
        self.rows = Growing(counts=((len(HALF_LIVES),), 0.0), first=((), 0.0))
        self.top_rows = np.zeros((len(HALF_LIVES), TOP if has_lists else 0), np.int32)

    @property
    def counts(self) -> NDArray[np.float64]:
        """(rows, half-lives): `C`."""
        return self.rows.arrays["counts"]

    @property
    def first(self) -> NDArray[np.float64]:
        """(rows,): time of the item's first event in seconds, 0 without one."""
        return self.rows.arrays["first"]

    @property
    def newest(self) -> float:
        """The newest time counted, in seconds; -inf before the first event."""
        return float(self.clock[NEWEST])

    @property
    def held(self) -> int:
        """The number of entries of each top list."""
        return int(self.clock[HELD])

    @property
    def events(self) -> float:
        """The number of events so far, each as many as it counts as."""
        return float(self.clock[SEEN])

    def reserve(self, rows: int) -> None:
        """Make room for this many items."""
        self.rows.reserve(rows)

    def add(self, row: int, time: float) -> None:
        """Count one event. time: seconds."""
        self.fold(np.array([row]), np.array([time]))

    def fold(
        self, rows: NDArray[np.int64], times: NDArray[np.float64], weights: NDArray[np.float64] | None = None
    ) -> None:
        """Count events in their order. rows: (n,). times: (n,) seconds. weights: (n,) events that each counts as."""
        weights = np.ones(len(rows)) if weights is None else weights
        self.reserve(int(rows.max()) + 1)
        start = self.clock[START], self.clock[SEEN_START]
        fold(self.counts, self.first, self.clock, self.top_rows, rows, np.stack([times, weights]))
        if (self.clock[START], self.clock[SEEN_START]) != start:  # every count was rescaled
            self.written.update(range(len(self.counts)))
        self.written.update(rows.tolist())

    def lower(self, rows: NDArray[np.int64], weights: NDArray[np.float64]) -> None:
        """Count skips in their order. rows: (n,). weights: (n,) events that each takes away, at most."""
        self.reserve(int(rows.max()) + 1)
        lower(self.counts, self.clock, self.top_rows, rows, weights)
        self.written.update(rows.tolist())

    def _growth(self, time: float) -> NDArray[np.float64]:
        if not self.events:
            return np.ones(len(HALF_LIVES))
        return np.array([growth(self.clock, time, h) for h in range(len(HALF_LIVES))])

    def values(self, rows: NDArray[np.int64], now: float) -> NDArray[np.float64]:
        """Return `c(t)`, (len(rows), half-lives). now: seconds; a time before the newest event counts as the newest."""
        found = np.zeros((len(rows), len(HALF_LIVES)))
        held = rows < len(self.counts)
        found[held] = self.counts[rows[held]]
        return found / self._growth(now)

    def count(self, name: str, row: int, now: float) -> float:
        """Return `c(t)` of one item at one half-life. now: seconds."""
        return float(self.values(np.array([row]), now)[0, list(HALF_LIVES).index(name)])

    def negative_log_shares(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return `-log p` of each item, (len(rows),). p: its share of all events, with one event added to each item."""
        counts = np.zeros(len(rows))
        held = rows < len(self.counts)
        counts[held] = self.counts[rows[held], EVER]
        shares: NDArray[np.float64] = np.log((self.events + self.clock[KNOWN] + 1) / (counts + 1.0))
        return shares

    def top(self, name: str) -> NDArray[np.int32]:
        """Return up to 512 rows by falling count, (n,); among equals the latest is first. name: the half-life's."""
        return self.top_rows[list(HALF_LIVES).index(name), : self.held]

    def drop(self, row: int) -> None:
        """Forget the row: it is free, or stands for another item, from now on."""
        if row >= len(self.counts) or self.counts[row, EVER] == 0:
            return
        self.counts[row], self.first[row] = 0.0, 0.0
        self.clock[KNOWN] -= 1
        held = self.held
        if not (self.top_rows[:, :held] == row).any():
            return
        known = np.flatnonzero(self.counts[:, EVER])
        self.clock[HELD] = min(held, len(known))
        for h, top in enumerate(self.top_rows):
            kept = top[:held][top[:held] != row]
            if len(kept) < self.held:  # the best of the rest takes the free place
                rest = np.setdiff1d(known, kept, assume_unique=True)
                kept = np.append(kept, rest[self.counts[rest, h].argmax()])
            top[: self.held] = kept

    def end_future(self, now: float) -> None:
        """Let nothing count as later than `now` (s): an event that was counted after `now` counts as one at `now`.

        A decayed count is at most the number of all events. A row whose count at `now` would be more was counted
        later. It keeps the count that it had at the newest time. Another row keeps its count at `now`,
        which the later time had wiped out, unless that was years ahead and left no number.
        """
        if not self.events or self.newest <= now:
            return
        ever, start = self.counts[:, EVER], min(self.clock[START], now)
        for h in range(len(TIMES)):
            # Where `now` lies years before the start, e^300 tells later rows as well as what would not fit a float.
            at_now = self.counts[:, h] * np.exp(min(RATES[h] * (self.clock[START] - now), REBASE))
            later = at_now > ever * (1 + 1e-9)
            then = np.exp(RATES[h] * (self.newest - self.clock[START]))
            at_now[later] = np.minimum(self.counts[later, h] / then, ever[later])
            self.counts[:, h] = at_now * np.exp(RATES[h] * (now - start))
        np.minimum(self.first, now, out=self.first)
        self.clock[START], self.clock[NEWEST] = start, now
        self.written.update(range(len(self.counts)))
        self._relist()

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        rows = {name: Rows(self.written, array) for name, array in self.rows.arrays.items()}
        return {"clock": self.clock, **rows, "top": self.top_rows[:, : self.held]}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state; one that holds logarithms of counts is converted."""
        if "logs" in state:
            state = _from_logs(state)
        self.clock = state["clock"].copy()
        self.rows.load(counts=state["counts"], first=state["first"])
        held = state["top"].shape[1]
        if bool(self.top_rows.shape[1]) != bool(held):  # whether the domain has lists was changed since
            self._relist()
        else:
            self.top_rows[:, :held] = state["top"]

    def _relist(self) -> None:
        """Make the top lists from the counts."""
        known = np.flatnonzero(self.counts[:, EVER])[: None if self.top_rows.shape[1] else 0]
        self.clock[HELD] = min(len(known), TOP)
        for h, top in enumerate(self.top_rows):
            top[: self.held] = known[top_k_sorted(self.counts[known, h], TOP)]


def _from_logs(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state with counts in place of `L = log c(t) + (t - t_0) ln 2 / half-life`, as of the newest time."""
    start, newest, events = float(state["start"]), float(state["newest"]), float(state["events"])
    passed = RATES * (0.0 if np.isnan(start) else newest - start)
    passed[BY_EVENTS] = RATES[BY_EVENTS] * events
    known = state["logs"][:, EVER] > -np.inf
    first = np.where(known, state["first"], 0.0)
    begin = np.nan if np.isnan(start) else newest
    clock = np.array([begin, newest, events, events, float(known.sum()), float(state["_top"].shape[1])])
    return {"clock": clock, "counts": np.exp(state["logs"] - passed), "first": first, "top": state["_top"]}


@kernel
def log_demand(columns: Columns, column: int) -> None:
    """Fill `10 c(t)` of each candidate, one column a half-life. `log1p` follows."""
    items, time = columns.items, columns.asked.time[columns.event]
    for half_life in range(len(RATES)):
        scale = 0.0
        if items.clock[SEEN] > 0:
            scale = SCALE / growth(items.clock, time, half_life)
        values = columns.values[column + half_life]
        for c in range(columns.size):
            values[c] = np.float32(
                scale * items.counts[columns.rows[c], half_life]
            )  # counts are too wide for 32 bits


_PRIOR = {"3d": 0.3, "30d": 0.3}
COLUMNS = tuple(
    Column(f"popularity_{name}", (1.3, 2.8, 4.3, 5.8), _PRIOR.get(name, 0.0), log=True) for name in HALF_LIVES
)
