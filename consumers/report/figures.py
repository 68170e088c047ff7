"""Name the errors that people see, and say how much better they are with transfer."""

from __future__ import annotations

from models.assessment.prequential import HALF_LIFE, NDCG_LOSS, RMSE

NAMES = {RMSE: "RMSE", NDCG_LOSS: "NDCG@10"}
IN_WORDS = {RMSE: "rating error (RMSE)", NDCG_LOSS: "ranking (NDCG@10)"}
BETTER = {RMSE: "lower is better", NDCG_LOSS: "higher is better"}
LATEST, WHOLE = "latest events", "whole stream"
"""The names of a fading mean and of a mean over everything."""
LATEST_MEANS = f"an event's weight halves every {HALF_LIFE:,.0f} events of its domain"


def value(metric: str, error: float) -> float:
    """Return the figure that people see: NDCG@10 in place of its loss."""
    return error if metric == RMSE else 1 - error


def figure(metric: str, error: float | None) -> str:
    """Write the figure that people see; "" for none."""
    return "" if error is None else f"{value(metric, error):.3f}"


def gain(metric: str, full: float | None, alone: float | None) -> str:
    """Write how much better the figure is with transfer, in per cent of the one without; "" if one of both is missing.

    >>> gain(RMSE, 0.9, 1.0), gain(NDCG_LOSS, 0.85, 0.9)  # NDCG 0.15 and 0.10
    ('+10.0 %', '+50.0 %')
    """
    if full is None or alone is None or not value(metric, alone):
        return ""
    share = value(metric, full) / value(metric, alone) - 1
    return f"{100 * (-share if metric == RMSE else share):+.1f} %"
