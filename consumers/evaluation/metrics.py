"""Compute figures from outcomes: errors, ranking measures, intervals by bootstrap over users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumers.evaluation.dataset import Data
from consumers.evaluation.predictions import SHARD_ARMS, STRATEGY_ARMS, TOP, ArmOutcome

OURS = ("full", *STRATEGY_ARMS, *SHARD_ARMS, "target_only")
"""Arms that are the learner itself, in some way."""
RATING = (*OURS, "network", "river_biased_mf_target", "river_biased_mf_all")
RANKING = (
    *OURS, "network", "popularity_1d", "popularity_3d", "popularity_30d",
    "popularity_ever", "item_knn_batch", "co_visitation", "text",
)  # fmt: skip
BUCKETS = {"0": (0, 0), "1-4": (1, 4), "5-19": (5, 19), "20+": (20, 10**9)}
RESAMPLES = 1000
FIRST = 5

Array = NDArray[np.float64]


class TargetEvents:
    """The target's events as columns, one row each, and the bootstrap of their users that all figures share."""

    def __init__(self, data: Data) -> None:
        pairs = [(n, e) for n, e in enumerate(data.events) if e.domain == data.target]
        self.index = np.array([n for n, _ in pairs], np.int64)
        self.user_ids = [e.user for _, e in pairs]
        self.item_ids = [e.item for _, e in pairs]
        self.rating = np.array([np.nan if e.value is None else e.value for _, e in pairs])
        numbers: dict[str, int] = {}
        self.user = np.array([numbers.setdefault(u, len(numbers)) for u in self.user_ids], np.int64)
        earlier: NDArray[np.int64] = np.zeros(len(numbers), np.int64)
        self.history = np.zeros(len(pairs), np.int64)
        for n, user in enumerate(self.user):
            self.history[n] = earlier[user]
            earlier[user] += 1
        self.users = len(numbers)
        rng = np.random.default_rng(0)
        self.weights = np.stack(
            [
                np.bincount(rng.integers(self.users, size=self.users), minlength=self.users)
                for _ in range(RESAMPLES)
            ]
        ).astype(np.float64)
        """How often each user was drawn: (resamples, users)."""

    def interval(self, values: Array, where: NDArray[np.bool_], root: bool = False) -> list[float]:
        """Return the 95 % interval of the mean of `values[where]`, with users resampled."""
        low, high = percentiles(self.resampled(values, where))
        return [float(np.sqrt(low)), float(np.sqrt(high))] if root else [float(low), float(high)]

    def resampled(self, values: Array, where: NDArray[np.bool_]) -> Array:
        """Return the mean of `values[where]` in each sample of users: (resamples,); nan without any event."""
        total = np.bincount(self.user[where], values[where], self.users)
        drawn = self.weights @ np.bincount(self.user[where], minlength=self.users)
        means: Array = np.where(drawn > 0, (self.weights @ total) / np.maximum(drawn, 1.0), np.nan)
        return means


def percentiles(resampled: Array) -> tuple[float, float]:
    """Return the 95 % interval of a figure of each sample (resamples,); samples without events do not count."""
    there = resampled[np.isfinite(resampled)]
    low, high = np.percentile(there, [2.5, 97.5]) if len(there) else (0.0, 0.0)
    return float(low), float(high)


def ndcg(rank: NDArray[np.int64]) -> Array:
    """Return NDCG@10 of one relevant item at each rank; 0 for rank -1."""
    inside = (rank >= 0) & (rank < TOP)
    return np.where(inside, 1.0 / np.log2(np.maximum(rank, 0) + 2.0), 0.0)


def rank_of(scores: NDArray[np.floating[Any]], eligible: NDArray[np.bool_], item: int) -> int:
    """Return the rank of `item` among the eligible items, 0 the best; equal scores count against it."""
    return int(np.count_nonzero((scores >= scores[item]) & eligible)) - 1


def on_grid(prediction: Array, grid: Array) -> Array:
    """Round each prediction (n,) to the nearest value of `grid` (ascending, not empty), halfway to the lower one."""
    nearest: Array = grid[np.searchsorted((grid[1:] + grid[:-1]) / 2.0, prediction)]
    return nearest


def rating_figures(target: TargetEvents, outcome: ArmOutcome, grid: Array) -> dict[str, Any]:
    """Return RMSE, MAE, accuracy on the observed grid, and RMSE of each user's first five target events."""
    rated = np.isfinite(target.rating) & np.isfinite(outcome.prediction)
    error = np.where(rated, outcome.prediction - target.rating, 0.0)
    nearest = on_grid(outcome.prediction[rated], grid)
    early = rated & (target.history < FIRST)
    return {
        "rmse": _root(error[rated]),
        "mae": float(np.abs(error[rated]).mean()),
        "accuracy": float((nearest == target.rating[rated]).mean()),
        "rmse_first5": _root(error[early]),
        "rmse_ci": target.interval(error**2, rated, root=True),
    }


def _root(errors: Array) -> float:
    return float(np.sqrt(np.mean(errors**2))) if len(errors) else float("nan")


def ranking_figures(target: TargetEvents, outcome: ArmOutcome) -> dict[str, Any]:
    """Return NDCG@10, HR@10, MRR, coverage, and NDCG@10 by how many target events the user had before."""
    ranked = outcome.rank >= 0
    gains = ndcg(outcome.rank)
    rank = outcome.rank[ranked]
    by_history = {}
    for name, (low, high) in BUCKETS.items():
        inside = ranked & (target.history >= low) & (target.history <= high)
        by_history[name] = {"n": int(inside.sum()), "ndcg@10": _mean_or_zero(gains[inside])}
    return {
        "ndcg@10": _mean_or_zero(gains[ranked]),
        "hr@10": _mean_or_zero((rank < TOP).astype(np.float64)),
        "mrr": _mean_or_zero(1.0 / (rank.astype(np.float64) + 1.0)),
        "coverage@10": outcome.coverage,
        "ndcg@10_ci": target.interval(gains, ranked) if ranked.any() else [0.0, 0.0],
        "by_history": by_history,
    }


def _mean_or_zero(values: Array) -> float:
    return float(values.mean()) if len(values) else 0.0


def versus_best(target: TargetEvents, outcomes: list[ArmOutcome]) -> dict[str, Any]:
    """Compare full with the best other arm (not target_only or strategies), paired by user; overall and by bucket."""
    gains: dict[str, list[Array]] = {}
    ranked = np.zeros(len(target.user), np.bool_)
    for outcome in outcomes:
        gains.setdefault(outcome.arm, []).append(ndcg(outcome.rank))
        if outcome.arm == "full":
            ranked = outcome.rank >= 0
    means = {arm: np.mean(values, axis=0) for arm, values in gains.items()}
    others = [arm for arm in means if arm in RANKING and arm not in OURS]

    def against(where: NDArray[np.bool_]) -> dict[str, Any]:
        if not where.any() or not others:
            return {"arm": None, "diff": 0.0, "ci": [0.0, 0.0], "n": 0}
        best = max(others, key=lambda arm: float(means[arm][where].mean()))
        difference = means["full"] - means[best]
        return {
            "arm": best,
            "diff": float(difference[where].mean()),
            "ci": target.interval(difference, where),
            "n": int(where.sum()),
        }

    return {
        **against(ranked),
        "by_history": {
            name: against(ranked & (target.history >= low) & (target.history <= high))
            for name, (low, high) in BUCKETS.items()
        },
    }


def over_seeds(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the means of equal-shaped figures; with several, also `<name>_sd` for each scalar."""
    first = figures[0]
    if len(figures) == 1:
        return first
    merged: dict[str, Any] = {}
    for key, value in first.items():
        values = [f[key] for f in figures]
        if isinstance(value, dict):
            merged[key] = over_seeds(values)
        elif isinstance(value, list):
            merged[key] = np.mean(values, axis=0).tolist()
        elif key == "n":
            merged[key] = value
        else:
            merged[key], merged[f"{key}_sd"] = mean_and_sd(values)
    return merged


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean, and the standard deviation of a sample; 0 for a single value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def all_figures(data: Data, target: TargetEvents, outcomes: list[ArmOutcome]) -> dict[str, Any]:
    """Return the parts `rating`, `ranking` and `vs_best` of the report."""
    by_arm: dict[str, list[ArmOutcome]] = {}
    for outcome in outcomes:
        by_arm.setdefault(outcome.arm, []).append(outcome)
    rating = {
        arm: over_seeds([rating_figures(target, o, data.grid) for o in by_arm[arm]])
        for arm in RATING
        if arm in by_arm and data.has_ratings
    }
    ranking = {
        arm: over_seeds([ranking_figures(target, o) for o in by_arm[arm]]) for arm in RANKING if arm in by_arm
    }
    return {"rating": rating, "ranking": ranking, "vs_best": versus_best(target, outcomes)}
