"""Make what an evaluation compares, without learning anything."""

from __future__ import annotations

import numpy as np

from consumers.evaluation.dataset import Data
from models.schema import Domain, Interaction, Item


def data_of(events: int, users: int, source: bool = True, shared: bool = True) -> Data:
    """Return ratings of games by `users` users in turn, and with `source` as many of movies.

    shared: whether those are by the same users.
    """
    rows = [
        Interaction("games", "rating", f"u{n % users}", f"g{n % 7}", n, float(1 + n % 5))
        for n in range(events)
    ]
    if source:
        who = "u" if shared else "other"
        rows += [Interaction("movies", "rating", f"{who}{n % users}", "m", n, 3.0) for n in range(events)]
    return Data(
        events=rows,
        items=[Item("games", f"g{n}", title="game") for n in range(7)],
        domains=[Domain("games", "target"), *([Domain("movies")] if source else [])],
        target="games",
        rating_range=(1.0, 5.0),
        grid=np.arange(1.0, 6.0),
        bad_rows=0,
        repeated=0,
    )
