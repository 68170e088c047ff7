"""Print what policies are worth: what the log is, a table with a row a policy, and last, in words, what was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from consumers.terminal.plain_text import joined, plain

COLUMNS = {
    "doubly robust": "clicks a list: a model's guess, corrected by weighted clicks; trust this one first",
    "self-normalised": "clicks a list: weighted clicks, divided by the sum of their weights",
    "exposure-weighted": "clicks a list: weighted clicks (position-based IPS); doubt it if it is far from the others",
    "effective lists": "how many lists of the policy's own would tell as much; under 200 the policy is refused",
    "hardly logged": "share of what the policy shows that the log hardly ever shows; over 5 % the policy is refused",
}
CAVEAT = (
    "These are the worths of one list in the states of the log: its users, and what its ranker knew. A policy that "
    "runs meets users and a learner that its own lists have changed, and can be worth less or more, even with another "
    "sign; only a live experiment answers that."
)


def print_values(figures: dict[str, Any], console: Console) -> None:
    """Print the log, the table, its limits, and a verdict on each policy."""
    places, domains = figures["places"], figures["target"] or ", ".join(figures["domains"])
    console.print(
        joined(
            (domains, "bold"),
            f": {figures['impressions']:,} impressions of {figures['users']:,} users, lists of up to {places} "
            f"{'place' if places == 1 else 'places'}, {figures['clicks']:,} clicks, {figures['seconds']:.0f} s",
        ),
        soft_wrap=True,
    )
    _explain(console)
    console.print(_table(figures))
    console.print()
    for line in _notes(figures):
        console.print(plain(line), soft_wrap=True)
    for line in verdicts(figures):
        console.print(plain(line, "bold"), soft_wrap=True)


def _explain(console: Console) -> None:
    console.print(plain("\nValues, with 95 % intervals whose units are users", "bold"))
    width = max(map(len, COLUMNS))
    for name, meaning in COLUMNS.items():
        console.print(plain(f"  {name:{width}}  {meaning}", "dim"), soft_wrap=True)


def _table(figures: dict[str, Any]) -> Table:
    table = Table("policy", *COLUMNS, box=None)
    counted = plain(_interval(figures["logged"]), "dim")
    table.add_row(plain("as logged, counted", "dim"), counted, *["–"] * 4)
    for name, found in figures["policies"].items():
        values = [_interval(found[key.replace(" ", "_").replace("-", "_")]) for key in list(COLUMNS)[:3]]
        table.add_row(plain(name), *values, f"{found['effective']:,.0f}", f"{100 * found['rare']:.1f} %")
    return table


def _interval(found: dict[str, float] | None) -> str:
    return "refused" if found is None else f"{found['value']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"


def _notes(figures: dict[str, Any]) -> Iterator[str]:
    """Yield what the values take for granted, and whether it holds."""
    if figures["places"] == 1:
        yield "Lists of one place: the weights are those of whole lists, so no click model is needed."
    else:
        curve = figures["curve"]
        yield f"Examination of places 1, 2 …: {' '.join(f'{v:.2f}' for v in curve['values'])} ({curve['source']})."
        yield _click_model(figures["below_a_click"])
    yield CAVEAT


def _click_model(below: dict[str, Any]) -> str:
    if below["ratio"] is None:
        return "Click model: no list has clicks that could tell whether places are examined independently."
    return (
        f"Click model: {below['seen']:,.0f} clicks below another click, {below['expected']:,.0f} expected if places "
        f"are examined independently (ratio {below['ratio']:.2f})"
        + (
            ". Users seem to stop after a click: DO NOT TRUST these values; value the first place alone with --top 1."
            if below["doubtful"]
            else ": no sign that users stop after a click."
        )
    )


def verdicts(figures: dict[str, Any]) -> Iterator[str]:
    """Yield for each policy what was found, and how sure it is."""
    own = figures["logged"]
    doubtful = figures["places"] > 1 and figures["below_a_click"]["doubtful"]
    for name, found in figures["policies"].items():
        if found["refused"]:
            yield f"{name}: refused. This log cannot tell its value: {found['refused']}."
            continue
        value, difference = found["doubly_robust"], found["difference"]
        lead = (
            f"{name}: {value['value']:.4f} clicks a list, {difference['value']:+.4f} "
            f"[{difference['low']:+.4f}, {difference['high']:+.4f}] against the {own['value']:.4f} of the logged lists"
        )
        yield f"{lead}: {_sureness(difference)}{', if the click model held, which it does not' if doubtful else ''}."


def _sureness(difference: dict[str, float]) -> str:
    if difference["low"] > 0:
        return "better, with 95 % confidence"
    if difference["high"] < 0:
        return "worse, with 95 % confidence"
    return "no difference can be told from this log"
