"""Print the figures of closed loops."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from consumers.evaluation.closed_loop.passes import POLICIES
from consumers.terminal.plain_text import joined

COLUMNS = {
    "shortfall": ("short of informed", 0),
    "regret": ("regret", 0),
    "clicks": ("clicks", 0),
    "last_fifth": ("last fifth", 0),
    "gini": ("Gini", 3),
    "shows_20": ("to 20 shows", 0),
    "good": ("good new items", 3),
}
"""Heading and decimal places of each figure."""
COMPARED = {"gini": "gini_less"}
"""The name of a figure's comparison, where it is another one."""


def print_world(name: str, figures: dict[str, Any], console: Console) -> None:
    """Print a table of one world: two lines a policy, its figures and their comparison with the greedy policy."""
    console.print(joined((name, "bold"), ""))
    table = Table("", *(heading for heading, _ in COLUMNS.values()), box=None)
    for policy in POLICIES:
        held = figures[policy]
        table.add_row(policy, *(_value(held[name], places) for name, (_, places) in COLUMNS.items()))
        if policy != "greedy":
            compared = held["to_greedy"]
            table.add_row("  to greedy", *(_compared(name, compared) for name in COLUMNS), style="dim")
    console.print(table)


def _compared(name: str, compared: dict[str, Any]) -> str:
    if name in COMPARED:
        return f"−{_value(compared[COMPARED[name]], 3)}".replace("−-", "+")
    return f"× {_value(compared[name], 2)}"


def _value(figure: dict[str, Any], places: int) -> str:
    if figure["mean"] is None:
        return "–"
    spread = f" ± {figure['sd']:,.{places}f}" if len(figure["seeds"]) > 1 else ""
    return f"{figure['mean']:,.{places}f}{spread}"
