"""Draw an evaluation along the target's events: how good the arms are, and what transfer brings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.evaluation.metrics import OURS as OWN_ARMS
from consumers.evaluation.metrics import RANKING as RANKING_ARMS
from consumers.evaluation.metrics import RATING as RATING_ARMS
from consumers.evaluation.metrics import TargetEvents
from consumers.evaluation.plot import drawn
from consumers.evaluation.predictions import ArmOutcome
from consumers.evaluation.report.verdict import (
    FEWEST_EVENTS,
    RANKING,
    RATING,
    Measure,
    gain_on,
    mean_over_seeds,
    ranking_gains,
    squared_errors,
)

FEWEST_IN_WINDOW = 200
WINDOWS = 12  # of the stream, one behind the other; a shorter stream has fewer
PLACES = 50  # along the stream, where means and intervals are computed
OURS = {"full": ("full: all domains", "#1f6fb4"), "target_only": ("target_only", "#d9660b")}
BEST = "#7a3b9a"
OTHERS = "0.72"

Array = NDArray[np.float64]


class _Column(NamedTuple):
    """One measure of all arms at each event of the target: nan where there is none."""

    measure: Measure
    title: str
    arms: dict[str, Array]
    mean: Callable[[Array], Array]
    """From a mean to what is drawn: the root, for squared errors."""

    @property
    def best(self) -> str | None:
        """Return the best arm that is none of the learner's own."""
        others = [arm for arm in self.arms if arm not in OWN_ARMS]
        sign = 1.0 if self.measure is RATING else -1.0
        return min(others, key=lambda arm: sign * float(np.nanmean(self.arms[arm])), default=None)


def write_plot(path: Path, target: TargetEvents, outcomes: list[ArmOutcome], name: str) -> None:
    """Draw all arms in windows, and the gain of full over target_only so far with its interval. Raises Stop.

    name: that of the target, for the titles.
    """
    columns = [column for column in _columns(target, outcomes) if column.arms]
    with drawn(path, 2, max(1, len(columns)), f"{name}: what transfer brings") as axes:
        for column, (above, below) in zip(columns, axes, strict=False):
            _draw_windows(above, target, column)
            _draw_gain(below, target, column)


def _columns(target: TargetEvents, outcomes: list[ArmOutcome]) -> list[_Column]:
    def arms(of: Any, names: tuple[str, ...]) -> dict[str, Array]:
        there = dict.fromkeys(o.arm for o in outcomes)
        found = {arm: mean_over_seeds(of, target, outcomes, arm) for arm in there if arm in names}
        return {arm: values for arm, values in found.items() if np.isfinite(values).any()}

    return [
        _Column(RATING, "RMSE, lower is better", arms(squared_errors, RATING_ARMS), np.sqrt),
        _Column(RANKING, "NDCG@10, higher is better", arms(ranking_gains, RANKING_ARMS), lambda mean: mean),
    ]


def window_of(events: int) -> int:
    """Return how many events a window holds: a part of the stream, but no fewer than 200."""
    return max(FEWEST_IN_WINDOW, events // WINDOWS)


def spans(events: int, window: int | None) -> list[tuple[int, int]]:
    """Return (first, end) of the events of each drawn mean: the last `window`, or with None all so far.

    The first ones are left out: a mean of a few events says nothing. A stream shorter than a window has all so far.
    """
    shortest = min(window or FEWEST_IN_WINDOW, max(1, events // 4))
    ends = np.unique(np.linspace(shortest, events, PLACES).astype(np.int64))
    return [(0 if window is None else max(0, end - window), end) for end in ends.tolist()]


def _draw_windows(axis: Any, target: TargetEvents, column: _Column) -> None:
    best, places = column.best, np.zeros(0, np.int64)
    shown: list[Array] = []
    for arm in sorted(column.arms, key=lambda arm: (arm in OURS, arm == best)):  # grey lines lie below
        values = column.arms[arm]
        places = np.flatnonzero(np.isfinite(values))
        found = spans(len(places), window_of(len(places)))
        first, end = np.array(found).T
        sums = np.concatenate([[0.0], np.cumsum(values[places])])
        at, means = places[end - 1], column.mean((sums[end] - sums[first]) / (end - first))
        label, colour = OURS.get(arm, (f"best other: {arm}", BEST) if arm == best else (None, OTHERS))
        dashes = "--" if arm == "target_only" else "-"  # it may lie on the line of full
        axis.plot(at, means, dashes, label=label, color=colour, lw=2.2 if label else 0.9)
        if label:
            shown.append(means)
        if arm == "full":
            edges = column.mean(_intervals(target, values, places, found))
            axis.fill_between(at, *edges, color=colour, alpha=0.18, lw=0, label="its 95 % interval")
            shown.append(edges.ravel())
    _show(axis, np.concatenate(shown))
    if len(column.arms) > 3:
        axis.plot([], [], color=OTHERS, lw=0.9, label="other arms")
    handles = sorted(axis.get_legend_handles_labels()[0], key=_importance)
    axis.legend(handles=handles, fontsize=9, ncol=2, loc="upper right")
    axis.set_ylabel(column.measure.name)
    events = len(places)
    few = "" if events >= FEWEST_EVENTS else ": too few to tell"
    axis.set_title(
        f"{column.title}\nmean of the last {min(window_of(events), events):,} {column.measure.events}{few}"
    )


def _importance(handle: Any) -> int:
    """Return the place of a line in the legend."""
    order = ("full", "its", "target_only", "best", "other")
    return next((n for n, begin in enumerate(order) if handle.get_label().startswith(begin)), len(order))


def _show(axis: Any, values: Array) -> None:
    """Make the vertical axis show these values. What goes far beyond would hide all others."""
    low, high = float(np.min(values)), float(np.max(values))
    pad = 0.1 * (high - low) or 1.0
    axis.set_ylim(low - pad, high + 4 * pad)  # room for the legend


def _intervals(
    target: TargetEvents, values: Array, places: NDArray[np.int64], found: list[tuple[int, int]]
) -> Array:
    """Return the lower and upper edges of the 95 % intervals of means: (2, len(found))."""
    edges = []
    for first, end in found:
        where = np.zeros(len(values), np.bool_)
        where[places[first:end]] = True
        edges.append(target.interval(values, where))
    return np.array(edges).T


def _draw_gain(axis: Any, target: TargetEvents, column: _Column) -> None:
    """Draw the gain over all events so far: its right end is the verdict's figure."""
    axis.axhline(0.0, color="black", lw=0.8)
    ours, alone = column.arms.get("full"), column.arms.get("target_only")
    if ours is None or alone is None:
        return
    places = np.flatnonzero(np.isfinite(ours) & np.isfinite(alone))
    gains, edges = [], []
    found = spans(len(places), None)
    for _, end in found:
        where = np.zeros(len(ours), np.bool_)
        where[places[:end]] = True
        gain, *edge = gain_on(column.measure, target, ours, alone, where)
        gains.append(gain)
        edges.append(edge)
    at = places[np.array([end for _, end in found]) - 1]
    colour = OURS["full"][1]
    axis.plot(at, gains, color=colour, lw=2.2, label="full against target_only, all events so far")
    axis.fill_between(at, *np.array(edges).T, color=colour, alpha=0.18, lw=0, label="its 95 % interval")
    matters = [-column.measure.worth, 0.0, column.measure.worth]
    _show(axis, np.concatenate([np.array(edges)[len(edges) // 5 :].ravel(), matters]))
    axis.legend(fontsize=9, loc="upper right")
    axis.set_title(f"what transfer brings in {column.measure.name}: above 0 it helps")
    axis.set_ylabel("RMSE lower by, %" if column.measure.percent else f"{column.measure.name} higher by")
