"""Choose what the demo streams: a simulated world that ends now, or the user's own files; and name its domains."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
from rich.console import Console

from consumers.config.schema import Settings
from consumers.datasets.checking import Check
from consumers.datasets.opening import open_tables
from consumers.datasets.scan import scan
from consumers.datasets.understanding import show_understanding
from consumers.demo.options import DemoOptions
from consumers.errors import Stop
from consumers.simulator.presets import preset
from consumers.simulator.scenarios.registry import SCENARIOS
from consumers.simulator.world_settings import WorldSettings

DRIFT_AT = 0.65
"""Share of the events before the default target's drift."""
Domains = dict[str, dict[str, Any]]
"""The config's keys of each domain."""


def world_of(options: DemoOptions, clock: Callable[[], float] = time.time) -> WorldSettings | None:
    """Return the simulated world; None if the user's files are streamed. Its last event is now by the clock, s.

    The drift of the default world comes after the burst, so that one sees what answers it.
    """
    if options.files:
        return None
    world = preset(options.scenario, options.events, options.seed)
    drift = [msgspec.structs.replace(one, at=DRIFT_AT) for one in world.drift]
    world = msgspec.structs.replace(world, event_ids=True, drift=tuple(drift))
    return world.ending_at(int(clock() * 1000))


def did_of(options: DemoOptions) -> str:
    """Return what users do with items, in the past tense."""
    if options.files:
        return "had"
    return "rated" if options.scenario is None else SCENARIOS[options.scenario].did


def about(options: DemoOptions) -> str:
    """Say what is streamed, and how fast interest fades in it."""
    if options.files:
        return "your own files"
    if options.scenario is None:
        return "movies and books teach games, which drift after two thirds of the stream"
    scenario = SCENARIOS[options.scenario]
    fades = ", ".join(f"{name} {_days(days)}" for name, days in scenario.half_lives.items())
    return (
        f"{' and '.join(scenario.sources)} teach {scenario.target}; the stream covers {_days(scenario.days)} and ends "
        f"now; interest in an item halves in: {fades}"
    )


def _days(days: float) -> str:
    return f"{24 * days:g} hours" if days < 1 else f"{days:g} day{'s' * (days != 1)}"


def domains_of(options: DemoOptions, world: WorldSettings | None, console: Console) -> Domains:
    """Return the domains of the world, the last as the target, or of the files. Raises Stop."""
    if world is None:
        return _of_files(options, console)
    *_, target = world.domains
    return {
        spec.name: {
            "role": "target" if spec is target else "source", "rating_range": list(spec.rating_range)
        }
        for spec in world.domains
    }  # fmt: skip


def _of_files(options: DemoOptions, console: Console) -> Domains:
    check = Check(Settings())
    scans = [scan(table, check) for table in open_tables(options.files, None, options.reading)]
    show_understanding(scans, check, console)
    found = [(name, d) for s in scans if s.kind == "interactions" for name, d in s.domains.items()]
    events = {name: sum(d.clicks + d.ratings for other, d in found if other == name) for name, _ in found}
    low = min((d.lowest for _, d in found), default=0.0)
    high = max((d.highest for _, d in found), default=0.0)
    if not events:
        raise Stop("--replay: none of these files holds interactions")
    target = options.target or min(events, key=lambda name: events[name])
    if target not in events:
        raise Stop(f"--target {target}: the files hold {', '.join(events)}")
    limits = [low, high] if low < high else [1.0, 5.0]
    return {
        name: {"role": "target" if name == target else "source", "rating_range": limits} for name in events
    }
