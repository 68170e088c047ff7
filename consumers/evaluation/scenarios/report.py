"""Report `evaluate --scenario`: a table, what the loop did, and a plot along the stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from consumers.evaluation.plot import drawn
from consumers.evaluation.scenarios.metrics import ROWS, Pair, rolling
from consumers.terminal.plain_text import joined, plain

SHOWN = 20
"""Most actions of the first seed that are printed. The JSON file has all actions of every seed."""


def print_scenario(figures: dict[str, Any], console: Console) -> None:
    """Print on, off and target_only side by side, against the floor."""
    console.print(joined((figures["scenario"], "bold"), f": {figures['seeds']} seeds"))
    table = Table("", "RMSE", "events to recover", "false alarms per 100,000", box=None)
    for row in ROWS:
        held = figures[row]
        table.add_row(
            row, _value(held["error"], 4), _value(held["recovery_events"], 0),
            _value(held["false_alarms_per_100k"], 2) if row == "on" else "–",
        )  # fmt: skip
    table.add_row(plain("floor", "dim"), plain(_value(figures["floor"], 4), "dim"))
    console.print(table)
    on, off = (figures[row]["recovery_events"]["mean"] for row in ("on", "off"))
    console.print(
        f"events to recover, on : off {on / off:.2f}; error of the learned bias {_value(figures['bias_error'], 3)} "
        f"on what users rate, {_value(figures['bias_error_all_pairs'], 3)} over all users and items",
        highlight=False,
    )
    if "ranking" in figures:
        _print_ranking(figures["ranking"], console)
    actions = figures["actions"][0]
    for action in actions[:SHOWN]:
        after = f", score {action['score']:+.3f} over {action['events']} events" if action["events"] else ""
        console.print(
            f"  {action['target_event']:+6d} {action['domain']} {action['what']} {action['outcome']}{after}",
            highlight=False,
        )
    if len(actions) > SHOWN:
        console.print(f"  … {len(actions) - SHOWN} more (--json)", highlight=False)


def _print_ranking(ranking: dict[str, Any], console: Console) -> None:
    arms = [arm for arm in ranking["all"] if arm != "n"]
    table = Table("NDCG@10", *arms, "events", box=None)
    for group, held in ranking.items():
        table.add_row(group, *(_value(held[arm], 4) for arm in arms), f"{held['n']['mean']:,.0f}")
    console.print(table)


def _value(figure: dict[str, float], digits: int) -> str:
    return f"{figure['mean']:.{digits}f} ± {figure['sd']:.{digits}f}"


def write_scenario_plot(path: Path, scenario: str, pair: Pair) -> None:
    """Draw the root mean square error of the target's last 500 events along the stream, of one seed. Raises Stop."""
    title = f"{scenario}: adaptation on and off"
    with drawn(path, 1, 1, title) as ((axis,),):
        for row in ROWS:
            axis.plot(rolling(pair.errors(row)), label=row, lw=2.4 if row == "on" else 1.2)
        axis.plot(rolling(pair.on.honest), label="floor", lw=1.2, ls="--", c="black")
        axis.axvline(pair.since(), c="grey", lw=0.8)
        smallest = rolling(pair.on.honest).min()
        axis.set_ylim(0.9 * smallest, np.percentile(rolling(pair.errors("off")), 99) * 1.1)
        axis.set_ylabel("RMSE of the last 500 events, lower is better")
