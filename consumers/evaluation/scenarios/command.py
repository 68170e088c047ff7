"""Run `crosscurrent evaluate --scenario`: learn a simulated world with adaptation on and off."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from consumers.config.schema import Settings
from consumers.encoding.open_encoder import opened_for_command
from consumers.evaluation.plot import check_plot
from consumers.evaluation.scenarios.kinds import Scenario
from consumers.evaluation.scenarios.metrics import Pair, scenario_figures
from consumers.evaluation.scenarios.report import print_scenario, write_scenario_plot
from consumers.evaluation.scenarios.run import ScenarioPass, run_pass
from consumers.evaluation.scenarios.world import scenario_world
from consumers.evaluation.workers import Steps, run_all
from consumers.simulator.world_settings import WorldSettings
from consumers.terminal import log, progress
from consumers.terminal.compiling import compile_first

SEEDS = 5


def run_scenario(
    scenario: Scenario,
    settings: Settings,
    seeds: int = SEEDS,
    plot: Path | None = None,
    console: Console | None = None,
    world_of: Callable[[Scenario, int], WorldSettings] = scenario_world,
) -> dict[str, Any]:
    """Run every seed with adaptation and without, print the table, return the figures. Raises Stop.

    settings: those of the learner. Their seed is that of the first world. world_of: makes the world of a seed.
    """
    console = console or log.console()
    begun = time.monotonic()
    opened_for_command(settings.text_encoder)  # a wrong model stops here, and so does a wrong plot
    check_plot(plot)
    first = settings.learner.seed
    worlds = [world_of(scenario, seed) for seed in range(first, first + seeds)]
    held = msgspec.json.encode(settings)
    ranked = scenario == "zero-overlap"
    passes = [ScenarioPass(world, held, adapt, ranked) for world in worlds for adapt in (True, False)]
    names = [f"{scenario} {p.world.seed} {'on' if p.adapt else 'off'}" for p in passes]
    compile_first(log.console(stderr=True))
    with progress.bars(console) as bars:
        traces = run_all(run_pass, passes, names, Steps(worlds[0].events), bars)
    pairs = [Pair(*three) for three in zip(worlds, traces[::2], traces[1::2], strict=True)]
    figures = scenario_figures(scenario, pairs)
    if plot is not None:
        write_scenario_plot(plot, scenario, pairs[0])
    figures["seconds"] = round(time.monotonic() - begun, 1)
    print_scenario(figures, console)
    return figures
