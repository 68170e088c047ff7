"""Choose the world to simulate: the default one or one of a TOML file, changed by options."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from consumers.errors import Stop
from consumers.simulator.scenarios.registry import SCENARIOS
from consumers.simulator.world_settings import DomainSpec, Drift, Poison, WorldSettings

EVENTS = 20_000
"""Events of a world, unless another number is asked for."""


class WorldOptions(msgspec.Struct, frozen=True):
    """A TOML file with a world (None: that of the scenario), and what is changed in it.

    scenario: None for the default world. end_ms: the time of the last event; None: now, or as `start_ms` of the file
    says.
    """

    world: Path | None = None
    events: int | None = None
    seed: int | None = None
    overlap: float | None = None
    drifts: tuple[str, ...] = ()
    poisons: tuple[str, ...] = ()
    scenario: str | None = None
    end_ms: int | None = None


def world_settings(options: WorldOptions) -> WorldSettings:
    """Return the settings of the world that `options` name, with event ids. Raises Stop."""
    dated = False
    if options.world is not None:
        chosen, dated = _of_file(options.world)
    else:
        chosen = preset(options.scenario, options.events or EVENTS)
    if options.drifts:
        drifts = tuple(_drift(text) for text in options.drifts if text != "none")
        chosen = msgspec.structs.replace(chosen, drift=drifts)
    if options.poisons:
        chosen = msgspec.structs.replace(chosen, poison=tuple(map(_poison, options.poisons)))
    numbers: dict[str, Any] = {"events": options.events, "seed": options.seed, "overlap": options.overlap}
    given = {name: value for name, value in numbers.items() if value is not None}
    chosen = msgspec.structs.replace(chosen, event_ids=True, **given)
    if dated and options.end_ms is None:
        return chosen
    return chosen.ending_at(int(time.time() * 1000) if options.end_ms is None else options.end_ms)


def preset(scenario: str | None, events: int = EVENTS, seed: int = 0) -> WorldSettings:
    """Return the world of a scenario; the default one for None."""
    return three_domains(events, seed) if scenario is None else scenario_world(scenario, events, seed)


def three_domains(events: int = EVENTS, seed: int = 0, overlap: float = 0.8) -> WorldSettings:
    """Return the default world: two data-rich sources, a young target (games), a drift in the target halfway."""
    return WorldSettings(
        domains=(
            DomainSpec("movies", users=180, items=400, mean=3.6, share=0.45),
            DomainSpec("books", users=160, items=400, mean=3.9, share=0.40),
            DomainSpec("games", users=140, items=200, mean=3.0, share=0.15),
        ),
        events=events,
        seed=seed,
        overlap=overlap,
        drift=(Drift("games", at=0.5, bias=1.0),),
    )


def scenario_world(name: str, events: int = EVENTS, seed: int = 0) -> WorldSettings:
    """Return the world of a scenario: its domains and words. Interest fades in it.

    It lasts as many days as the scenario says, whatever the number of events.
    """
    scenario = SCENARIOS[name]
    return WorldSettings(
        domains=scenario.domains(),
        events=events,
        seed=seed,
        dim=len(scenario.words.themes) // 2,
        events_per_day=events / scenario.days,
        words=scenario.name,
    )


def _of_file(world: Path) -> tuple[WorldSettings, bool]:
    """Return the world of the file, and whether the file says when it begins. Raises Stop."""
    try:
        raw = tomllib.loads(world.read_text(encoding="utf-8"))
        return msgspec.convert(raw, WorldSettings), "start_ms" in raw
    except OSError as error:
        raise Stop(f"--world {world}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Stop(f"--world {world}: {error}") from error


def _drift(text: str) -> Drift:
    parts = text.split(":")
    if len(parts) not in (3, 4) or parts[1] not in ("sudden", "gradual", "recurring"):
        raise Stop(f"--drift {text}: write DOMAIN:KIND:AT[:BIAS], such as games:sudden:0.5:1.0")
    kind: Any = parts[1]
    try:
        return Drift(parts[0], kind, float(parts[2]), bias=float(parts[3]) if len(parts) > 3 else 1.0)
    except ValueError as error:
        raise Stop(f"--drift {text}: AT and BIAS are numbers") from error


def _poison(text: str) -> Poison:
    domain, _, at = text.partition(":")
    try:
        return Poison(domain, float(at or 0.0))
    except ValueError as error:
        raise Stop(f"--poison {text}: AT is a number") from error
