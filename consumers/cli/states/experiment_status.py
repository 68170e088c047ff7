"""Read what is known of live experiments from the newest checkpoint of every shard, and print it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from consumers.config.schema import Settings
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.sharing.folders import all_folders
from consumers.terminal.plain_text import joined as text_of
from consumers.terminal.plain_text import plain
from models.experiments.arm_totals import ArmTotals
from models.experiments.status import ArmStatus, ExperimentStatus, Verdict, status_of
from models.experiments.totals import joined
from models.state.checkpoint import CheckpointDirectory, UnusableError

TRIES = 5
"""How often a checkpoint is read before its fault counts."""


class Found(msgspec.Struct, frozen=True):
    """What the checkpoints say. shards: how many there are, and read: how many were read.

    changed: experiments whose definition in the config is not the one that the service counts by.
    """

    shards: int
    read: int
    changed: list[str]
    experiments: list[ExperimentStatus]


def experiments_status(settings: Settings) -> Found:
    """Return what is known of the config's experiments. Raises Stop.

    The directories are only read, beside the running service.
    """
    folders = all_folders(settings)
    states = [state for folder in folders if (state := _learner_state(folder)) is not None]
    if not states:
        raise Stop(
            f"checkpoint.directory {folders[0]}: there is no checkpoint yet; crosscurrent run writes them"
        )
    held = joined(state.get("experiments", {}).get("sums", {}) for state in states)
    sizes = {
        name: len(catalogue["ids"]["ids"])
        for name, catalogue in zip(states[0]["domains"], states[0]["catalogues"], strict=True)
    }
    changed, found = list[str](), list[ExperimentStatus]()
    for one in settings.live_experiments():
        sums = held.get(one.name)
        same = sums is not None and sums["identity"] == one.identity
        if sums is not None and not same:
            changed.append(one.name)
        totals = {
            arm: ArmTotals.of(sums["arms"][arm]) if same and sums is not None else ArmTotals()
            for arm in one.arms
        }
        found.append(status_of(one, totals, sizes))
    return Found(len(folders), len(states), changed, found)


def _learner_state(folder: Path) -> dict[str, Any] | None:
    """Return the learner's state in the newest checkpoint, None without one.

    The running service removes old checkpoints, maybe one that is being read: then there is a newer one to read.
    """
    if not folder.is_dir():
        return None
    for left in reversed(range(TRIES)):
        try:
            state, _ = CheckpointDirectory(folder, read_only=True).load()
        except (UnusableError, OSError) as error:
            if not left:
                raise Stop(f"checkpoint.directory {folder}: {error}", STATE_UNUSABLE) from error
        else:
            return None if state is None else state["arms"]["full"]
    return None


def show_experiments(found: Found, shown: Sequence[ExperimentStatus], console: Console) -> None:
    """Print a table of the arms of each experiment, and a sentence for each comparison."""
    if found.read < found.shards:
        console.print(plain(f"only {found.read} of {found.shards} shards have a checkpoint here", "yellow"))
    for one in shown:
        unit = "users" if one.unit == "user" else "lists"
        console.print(text_of((one.name, "bold"), f": by {one.unit}, in {', '.join(one.domains)}"))
        if one.name in found.changed:
            text = "  the service has not started with this definition yet; restart it, and its totals begin anew"
            console.print(plain(text, "yellow"))
        table = Table(
            "arm", unit, "impressions", "clicks", "clicks/impr.", "clicked in top 10", "items shown", box=None
        )
        for arm in one.arms:
            table.add_row(*map(plain, _cells(arm)))
        console.print(table)
        for verdict in one.verdicts:
            console.print(plain(f"  {_sentence(verdict)}", "bold" if verdict.winner else ""))
        if any(arm.units for arm in one.arms):
            console.print(plain(f"  {_shares(one)}", "" if one.as_planned else "bold red"))


def _cells(arm: ArmStatus) -> list[str]:
    items = ", ".join(f"{domain} {n:,} ({arm.coverage[domain]:.0%})" for domain, n in arm.items.items())
    figures = f"{arm.clicks_per_impression:.4f}", f"{arm.clicked_on_top:.1%}"
    return [arm.arm, f"{arm.units:,}", f"{arm.impressions:,}", f"{arm.clicks:,}", *figures, items or "none"]


def _sentence(verdict: Verdict) -> str:
    """Say how an arm compares with the first."""
    names = f"{verdict.arm} against {verdict.against}"
    if not verdict.decided or verdict.smallest_lift is None:
        return f"{names}: open; each arm needs 50 units with impressions, and clicks"
    said = "open" if verdict.winner is None else f"{verdict.winner} is better"
    high = "any" if verdict.high is None else f"{verdict.high:+.1%}"
    text = f"{names}: {said}; lift {verdict.lift:+.1%} ({verdict.low:+.1%} to {high})"
    text += f"; by now {verdict.smallest_lift:.1%} could be found"
    if verdict.more_impressions is None:
        return f"{text}; more impressions of these users are not enough for 3 %: more users are needed"
    needed = (
        f"{verdict.more_impressions:,} more impressions"
        if verdict.more_impressions
        else "no more impressions"
    )
    return f"{text}; for 3 %, {needed} are needed"


def _shares(one: ExperimentStatus) -> str:
    if one.as_planned:
        return "units come as planned"
    return "units do NOT come in the planned shares, so no verdict counts: impressions of one arm get lost"
