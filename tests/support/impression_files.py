"""Write a logged world as a file of impressions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.support.logged_world import LoggedWorld


def write_impressions(path: Path, world: LoggedWorld) -> None:
    """Write a line a list, with the scores of the other ranker as `b`."""
    with path.open("w") as file:
        for n in range(len(world.users)):
            names = [f"i{item}" for item in world.candidates[n]]
            order, clicked = world.order[n], world.clicks[n] > 0
            line = {
                "user_id": f"u{world.users[n]}",
                "domain": "books",
                "items": [names[c] for c in order],
                "clicks": [names[c] for c in order[clicked]],
                "p": world.p[n].tolist(),
                "pool": {
                    "items": names,
                    "scores": world.scores[n].tolist(),
                    "temperature": world.settings.temperature,
                    "share": world.settings.share,
                    "new": [names[c] for c in np.flatnonzero(world.new[n])],
                    "other_scores": {"b": world.other[n].tolist()},
                },
            }
            file.write(json.dumps(line) + "\n")
