"""Print an evaluation: what was measured, a table of ratings and one of ranking, and the verdict as the last lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from consumers.evaluation.metrics import BUCKETS
from consumers.evaluation.report.verdict import FEWEST_EVENTS
from consumers.terminal.plain_text import joined, plain

ARMS = {
    "full": "learns all domains",
    "target_only": "learns the target alone; what full gains over it is what transfer brings",
    "others": "simpler learners, for comparison",
}
RATINGS = {
    "RMSE": "root of the mean squared error of the predicted rating: lower is better",
    "95 %": "95 % interval of the RMSE, by bootstrap over users",
    "first five": "RMSE of each user's first five events in the target: lower is better",
    "MAE": "mean absolute error: lower is better",
    "accuracy": "share of predictions that round to the rating itself: higher is better",
}
RANKING = {
    "NDCG@10": "how high the user's next item stood in a list of ten (first 1, eleventh 0): higher is better",
    "95 %": "95 % interval of the NDCG@10, by bootstrap over users",
    "HR@10": "share of events whose item was in the list of ten: higher is better",
    "MRR": "mean of 1 / place: higher is better",
    "coverage": "share of the catalogue that was in some list: higher is more variety",
    ", ".join(BUCKETS): "NDCG@10 of users with so many earlier events in the target: higher is better",
}


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print ratings, ranking, full against the best other arm, and last what transfer brings."""
    transfer = report["transfer"]
    shared = f"{transfer['users_in_sources']:,} also in {', '.join(transfer['sources'])}"
    console.print(
        joined(
            (report["target"], "bold"),
            f": {report['events']:,} events of {transfer['users']:,} users"
            f"{f' ({shared})' if transfer['sources'] else ''}, {report['seconds']:.0f} s",
        ),
        soft_wrap=True,
    )
    seeds = {"±": "standard deviation over seeds"} if "ndcg@10_sd" in report["ranking"]["full"] else {}
    _explain(console, "Arms: each predicts an event before it learns it", ARMS | seeds)
    if report["rating"]:
        _explain(console, "Ratings", RATINGS)
        console.print(_ratings(report["rating"]))
    text = (
        {}
        if "text" in report["ranking"]
        else {"text": "this arm ranks nothing: no item of the target has text"}
    )
    _explain(console, "Ranking: over the last 70 % of the target's events", RANKING | text)
    console.print(_ranking(report["ranking"]))
    _versus(report["vs_best"], console)
    for line in transfer["words"]:
        console.print(plain(line, "bold"), soft_wrap=True)


def _explain(console: Console, title: str, columns: Mapping[str, str]) -> None:
    console.print(plain(f"\n{title}", "bold"), soft_wrap=True)
    width = max(map(len, columns))
    for name, meaning in columns.items():
        console.print(plain(f"  {name:{width}}  {meaning}", "dim"), soft_wrap=True)


def _ratings(arms: dict[str, Any]) -> Table:
    table = Table("arm", *RATINGS, box=None)
    for arm, f in arms.items():
        table.add_row(
            arm, _with_sd(f, "rmse"), _interval(f["rmse_ci"]), _with_sd(f, "rmse_first5"),
            _with_sd(f, "mae"), _with_sd(f, "accuracy"),
        )  # fmt: skip
    return table


def _ranking(arms: dict[str, Any]) -> Table:
    table = Table("arm", "NDCG@10", "95 %", "HR@10", "MRR", "coverage", *BUCKETS, box=None)
    for arm, f in arms.items():
        table.add_row(
            arm, _with_sd(f, "ndcg@10"), _interval(f["ndcg@10_ci"]), f"{f['hr@10']:.4f}", f"{f['mrr']:.4f}",
            f"{f['coverage@10']:.3f}", *(_of_bucket(f["by_history"][b]) for b in BUCKETS),
        )  # fmt: skip
    if "text" not in arms:
        table.add_row("text", *["–"] * (5 + len(BUCKETS)))
    counts = next(iter(arms.values()))["by_history"]
    table.add_row(plain("events", "dim"), *[""] * 5, *(plain(f"{counts[b]['n']:,}", "dim") for b in BUCKETS))
    return table


def _versus(found: dict[str, Any], console: Console) -> None:
    console.print(plain("\nNDCG@10 of full minus that of the best other arm, by earlier events", "bold"))
    for name, against in ({"all": found} | found["by_history"]).items():
        if against["arm"]:
            low, high = against["ci"]
            verdict = "better" if low > 0 else "worse" if high < 0 else "no clear difference"
            verdict = (
                verdict if against["n"] >= FEWEST_EVENTS else f"{against['n']} events are too few to tell"
            )
            console.print(
                f"  {name:5} {against['diff']:+.4f} [{low:+.4f}, {high:+.4f}] than {against['arm']}: {verdict}",
                highlight=False,
            )
    console.print()


def _of_bucket(figures: dict[str, Any]) -> str:
    """Return the NDCG@10 of the events of one class of users; none if there are no such events."""
    return f"{figures['ndcg@10']:.4f}" if figures["n"] else "–"


def _with_sd(figures: dict[str, Any], key: str) -> str:
    if np.isnan(figures[key]):
        return "–"
    sd = figures.get(f"{key}_sd")
    return f"{figures[key]:.4f}" + (f" ± {sd:.4f}" if sd is not None else "")


def _interval(ci: list[float]) -> str:
    return f"{ci[0]:.4f} to {ci[1]:.4f}"
