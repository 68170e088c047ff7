"""Make the worlds of `evaluate --scenario`: a known truth, and how it changes.

Domains are small and the stream is long: the target has 100 users with 120 ratings each. So the learner
is within a few per cent of the floor before the shift, and its learning does not hide how it recovers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from consumers.evaluation.scenarios.kinds import Scenario
from consumers.simulator.world import World
from consumers.simulator.world_settings import DomainSpec, Drift, Poison, WorldSettings

TARGET = "games"
SETTLED = 5_000
"""First events of the target, which are not measured if a source is poisoned: the learner must meet its lies first."""


def scenario_world(name: Scenario, seed: int) -> WorldSettings:
    """Return a world with movies and books as sources and games as target.

    They have 30, 20 and 50 % of 24,000 events; noise is 0.8 and taste 0.5.

    sudden: from the middle on the target's mean is one point higher, and other items are popular.
    gradual: that change over 15 % of the stream. recurring: that change, on and off for 10 % at a time.
    stationary: nothing happens, for longer; it has twice the items, so that no user runs out of popular ones.
    poisoned-source: the larger source lies from the first event on.
    zero-overlap: no user is in two domains, and the target is young: a quarter of the events.
    """
    users, items = 100, 400 if name == "stationary" else 200
    shares = (0.45, 0.3, 0.25) if name == "zero-overlap" else (0.3, 0.2, 0.5)
    drift = {
        "sudden": (Drift(TARGET, at=0.5, bias=1.0, reshuffle=True),),
        "gradual": (Drift(TARGET, "gradual", at=0.5, span=0.15, bias=1.0, reshuffle=True),),
        "recurring": (Drift(TARGET, "recurring", at=0.5, span=0.1, bias=1.0, reshuffle=True),),
    }
    return WorldSettings(
        domains=tuple(
            DomainSpec(domain, users=users, items=items, mean=mean, share=share)
            for domain, mean, share in zip(("movies", "books", TARGET), (3.6, 3.4, 3.0), shares, strict=True)
        ),
        events=40_000 if name == "stationary" else 24_000,
        overlap=0.0 if name == "zero-overlap" else 0.8,
        seed=seed,
        dim=4,
        taste_sd=0.5,
        noise_sd=0.8,
        drift=drift.get(name, ()),
        poison=(Poison("movies", at=0.0),) if name == "poisoned-source" else (),
    )


def drift_begins(world: World) -> int | None:
    """Return the stream's event at which the target's truth begins to change; None if it never does."""
    drifts = world.drifts(TARGET)
    return min(world.index_of(d.at) for d in drifts) if drifts else None


def first_measured(world: World, positions: NDArray[np.int64]) -> int:
    """Return how many of the target's events, at these ascending `positions` of the stream, are not measured.

    They are those before the shift; without a shift, those before the middle; with a poisoned source, `SETTLED`.
    """
    if world.settings.poison:
        return min(SETTLED, len(positions) // 2)
    begins = drift_begins(world)
    return int(np.searchsorted(positions, world.settings.events // 2 if begins is None else begins))
