"""Run `crosscurrent evaluate --scenario closed-loop`: greedy, exploring and informed lists in simulated worlds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from rich.console import Console

from consumers.config.schema import Settings
from consumers.encoding.open_encoder import opened_for_command
from consumers.evaluation.closed_loop.figures import world_figures
from consumers.evaluation.closed_loop.passes import POLICIES, LoopPass, run_pass, stage_at
from consumers.evaluation.closed_loop.report import print_world
from consumers.evaluation.workers import Steps, run_all
from consumers.simulator.closed_loop.settings import BEFORE, IMPRESSIONS, WORLDS, LoopSettings, WorldName
from consumers.terminal import log, progress
from consumers.terminal.compiling import compile_first

SEEDS = 5
EXPLORE = 1.0
"""What the exploring policy has for `ranker.explore`, unless the config says something else than 0."""


class LoopOptions(msgspec.Struct, frozen=True):
    """Which worlds are run, how often, and for how many impressions after the shared ones."""

    worlds: Sequence[WorldName] = WORLDS
    impressions: int = IMPRESSIONS
    seeds: int = SEEDS


def run_closed_loop(
    options: LoopOptions, settings: Settings, console: Console | None = None
) -> dict[str, Any]:
    """Run every world and seed, print a table for each world, return the figures. Raises Stop.

    settings: those of the learner. Their seed is that of the first world.
    """
    console, errors = console or log.console(), log.console(stderr=True)
    begun, first = time.monotonic(), settings.learner.seed
    opened_for_command(settings.text_encoder)  # a wrong model stops here
    before = min(BEFORE, options.impressions * BEFORE // IMPRESSIONS)
    explore = settings.ranker.explore or EXPLORE
    held = msgspec.json.encode(settings)
    worlds = [
        LoopSettings(name, seed, options.impressions, before)
        for name in options.worlds
        for seed in range(first, first + options.seeds)
    ]
    compile_first(errors)
    with progress.bars(errors) as bars:
        names = [f"{world.name} {world.seed}" for world in worlds]
        count = before + len(POLICIES) * options.impressions
        steps = Steps(count, "lists", partial(stage_at, before, options.impressions))
        outcomes = run_all(run_pass, [LoopPass(one, held, explore) for one in worlds], names, steps, bars)
    seeds = "1 seed" if options.seeds == 1 else f"{options.seeds} seeds"
    console.print(
        f"closed loop: {seeds} from {first}, {options.impressions:,} impressions after {before:,} "
        f"shared greedy ones; explore = {explore:g}"
    )
    figures: dict[str, Any] = {
        "scenario": "closed-loop", "seeds": options.seeds, "first_seed": first,
        "impressions": options.impressions, "before": before, "explore": explore, "worlds": {},
    }  # fmt: skip
    for n, name in enumerate(options.worlds):
        found = world_figures(outcomes[n * options.seeds : (n + 1) * options.seeds])
        figures["worlds"][name] = found
        print_world(name, found, console)
    figures["seconds"] = round(time.monotonic() - begun, 1)
    return figures
