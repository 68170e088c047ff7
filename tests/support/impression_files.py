"""Write files of impressions from a world whose appeal and examination are known, beside what policies are worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.exposure.place_chances import best_first, drawn_chances
from models.exposure.plackett_luce import draw, pool_of

Floats = NDArray[np.float64]

POWER = np.arange(1.0, 11.0) ** -0.7
ITEMS, TRUTH_DRAWS = 300, 20


class LoggedWorld(NamedTuple):
    """How lists are logged. temperature: of the lists. cascade: users stop after a click."""

    lists: int = 20_000
    users: int = 1_000
    candidates: int = 50
    temperature: float = 0.3
    share: float = 0.1
    curve: Floats = POWER
    base: float = -2.5
    cascade: bool = False


def write_impressions(path: Path, seed: int, world: LoggedWorld) -> dict[str, float]:
    """Write a log, with the scores of another ranker as `b`. Return the clicks a list that each policy is worth.

    Policies: `greedy`, `scores:b` and `scores:b:0.1`, by the log's own candidates, with the true appeal and curve.
    """
    rng, places = np.random.default_rng(seed), len(world.curve)
    items, habits = 0.5 * rng.standard_normal(ITEMS), 0.5 * rng.standard_normal(world.users)
    # Users are of unequal activity.
    activity = rng.gamma(1.0, size=world.users)
    users = rng.choice(world.users, world.lists, p=activity / activity.sum())
    truth = dict.fromkeys(("greedy", "scores:b", "scores:b:0.1"), 0.0)
    with path.open("w") as file:
        for user in users:
            chosen = rng.choice(ITEMS, world.candidates, replace=False)
            worth = items[chosen] + 0.6 * rng.standard_normal(world.candidates)
            own, other = (0.5 * worth + 0.4 * rng.standard_normal(world.candidates) for _ in range(2))
            new = rng.random(world.candidates) < 0.1
            order, p = np.zeros(places, np.int64), np.zeros(places)
            draw(pool_of(own, new, world.temperature), world.share, rng.random((2, places)), order, p)
            appeal = 1 / (1 + np.exp(-(world.base + worth + habits[user])))
            clicks = rng.random(places) < world.curve * appeal[order]
            if world.cascade:
                clicks &= np.cumsum(clicks) <= 1
            drawn = drawn_chances(pool_of(other, new, 0.1), 0.0, rng.random((TRUTH_DRAWS, 2, places)))
            for name, chances in (
                ("greedy", best_first(own, places)),
                ("scores:b", best_first(other, places)),
                ("scores:b:0.1", drawn),
            ):
                truth[name] += float(appeal @ chances @ world.curve) / world.lists
            line = _line(user, chosen, order, clicks, own, other, new, p, world)
            file.write(json.dumps(line) + "\n")
    return truth


def _line(  # noqa: PLR0913
    user: int, chosen: Any, order: Any, clicks: Any, own: Any, other: Any, new: Any, p: Any, world: LoggedWorld
) -> dict[str, Any]:
    names = [f"i{item}" for item in chosen]
    return {
        "user_id": f"u{user}",
        "domain": "books",
        "items": [names[c] for c in order],
        "clicks": [names[c] for c in order[clicks]],
        "p": p.tolist(),
        "pool": {
            "items": names,
            "scores": own.tolist(),
            "temperature": world.temperature,
            "share": world.share,
            "new": [names[c] for c in np.flatnonzero(new)],
            "other_scores": {"b": other.tolist()},
        },
    }
