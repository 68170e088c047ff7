"""Report an evaluation: tables, predictions as Parquet, a plot along the stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from consumers.errors import Stop
from consumers.evaluation.metrics import BUCKETS, TargetEvents, ndcg
from consumers.evaluation.plot import drawn
from consumers.evaluation.predictions import ArmOutcome
from consumers.terminal.plain_text import joined, plain


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print ratings, ranking, and full against the best other arm."""
    console.print(
        joined((report["target"], "bold"), f": {report['events']:,} events, {report['seconds']:.0f} s")
    )
    if report["rating"]:
        table = Table("arm", "RMSE", "95 %", "first five", "MAE", "accuracy", title="Ratings", box=None)
        for arm, f in report["rating"].items():
            table.add_row(
                arm, _with_sd(f, "rmse"), _interval(f["rmse_ci"]), _with_sd(f, "rmse_first5"),
                _with_sd(f, "mae"), _with_sd(f, "accuracy"),
            )  # fmt: skip
        console.print(table)
    table = Table("arm", "NDCG@10", "95 %", "HR@10", "MRR", "coverage", *BUCKETS, title="Ranking", box=None)
    for arm, f in report["ranking"].items():
        table.add_row(
            arm, _with_sd(f, "ndcg@10"), _interval(f["ndcg@10_ci"]), f"{f['hr@10']:.4f}", f"{f['mrr']:.4f}",
            f"{f['coverage@10']:.3f}", *(f"{f['by_history'][b]['ndcg@10']:.4f}" for b in BUCKETS),
        )  # fmt: skip
    counts = next(iter(report["ranking"].values()))["by_history"]
    table.add_row(plain("events", "dim"), *[""] * 5, *(plain(f"{counts[b]['n']:,}", "dim") for b in BUCKETS))
    console.print(table)
    versus = {"all": report["vs_best"]} | report["vs_best"]["by_history"]
    for name, against in versus.items():
        if against["arm"]:
            low, high = against["ci"]
            verdict = "better" if low > 0 else "worse" if high < 0 else "no clear difference"
            console.print(
                f"history {name}: full minus {against['arm']} {against['diff']:+.4f} "
                f"[{low:+.4f}, {high:+.4f}]: {verdict}",
                highlight=False,
            )


def _with_sd(figures: dict[str, Any], key: str) -> str:
    if np.isnan(figures[key]):
        return "–"
    sd = figures.get(f"{key}_sd")
    return f"{figures[key]:.4f}" + (f" ± {sd:.4f}" if sd is not None else "")


def _interval(ci: list[float]) -> str:
    return f"{ci[0]:.4f} to {ci[1]:.4f}"


def write_predictions(path: Path, target: TargetEvents, outcomes: list[ArmOutcome]) -> None:
    """Write one row for each target event, arm and seed.

    The rank is null in the first 30 % and for repeats. Raises Stop.
    """
    n = len(target.user)
    schema = pa.schema(
        [("index", pa.int64()), ("user_id", pa.string()), ("item_id", pa.string()), ("arm", pa.string()),
         ("seed", pa.int64()), ("rating", pa.float64()), ("prediction", pa.float64()), ("rank", pa.int64()),
         ("history", pa.int64())]
    )  # fmt: skip
    try:
        with pq.ParquetWriter(path, schema) as writer:
            for o in outcomes:
                columns = [
                    target.index, target.user_ids, target.item_ids, [o.arm] * n, np.full(n, o.seed),
                    pa.array(target.rating, mask=np.isnan(target.rating)),
                    pa.array(o.prediction, mask=np.isnan(o.prediction)),
                    pa.array(o.rank, mask=o.rank < 0), target.history,
                ]  # fmt: skip
                writer.write_table(pa.table(columns, schema=schema))
    except OSError as error:
        raise Stop(f"--predictions {path}: {error.strerror or error}") from error


def write_plot(path: Path, target: TargetEvents, outcomes: list[ArmOutcome]) -> None:
    """Draw error and NDCG@10 along the stream, smoothed, one line an arm, mean over seeds. Raises Stop."""
    with drawn(path, 2) as (above, below):
        for arm in dict.fromkeys(o.arm for o in outcomes):
            mine = [o for o in outcomes if o.arm == arm]
            style = {"lw": 2.4} if arm == "full" else {"lw": 1.1, "alpha": 0.85}
            errors = np.mean([(o.prediction - target.rating) ** 2 for o in mine], axis=0)
            if np.isfinite(errors).any():
                above.plot(*_moving_mean(errors, np.isfinite(errors)), label=arm, **style)
            ranked = mine[0].rank >= 0
            if ranked.any():
                below.plot(
                    *_moving_mean(np.mean([ndcg(o.rank) for o in mine], axis=0), ranked), label=arm, **style
                )
        above.set_ylabel("squared error (lower is better)")
        below.set_ylabel("NDCG@10 (higher is better)")


def _moving_mean(values: np.ndarray[Any, Any], where: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    places = np.flatnonzero(where)
    width = max(1, len(places) // 40)
    kernel = np.ones(width) / width
    return places[width - 1 :], np.convolve(values[where], kernel, "valid")
