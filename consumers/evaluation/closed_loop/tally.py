"""Count what a policy shows in a closed loop, and what comes of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consumers.simulator.closed_loop.records import Look
from consumers.simulator.closed_loop.world import Ints, World
from models.assessment.concentration import gini

Floats = NDArray[np.float64]
ENOUGH = 20
"""Shows after which a new item is known, and clicks after which it has made its way."""
CAP = 10_000
"""Impressions of all domains that a new item has for either. A shorter run has a fifth of its own."""
NEVER = np.iinfo(np.int64).max


class Tally:
    """Counts one policy's run from `settings.before` on. A `Watcher`."""

    def __init__(self, world: World) -> None:
        settings = world.settings
        self._world, self._begin = world, settings.before
        self.cap = min(CAP, settings.impressions // 5)
        self.clicks = np.zeros(settings.impressions, np.int64)
        self.regret = np.zeros(settings.impressions)
        """Expected clicks of the best list for this user at this moment, minus those of the list that was shown."""
        shape = (len(world.domains), settings.items)
        self.shows, self.known_at = np.zeros(shape, np.int64), np.full(shape, NEVER)
        """(domains, items): times that each was shown, and the time of the `ENOUGH`th."""
        self.early_clicks = np.zeros(shape, np.int64)
        """(domains, items): clicks within `cap` impressions after the item's arrival."""

    def before(self, time: int, user: int, domain: int, rows: Ints) -> None:
        """Note a list that its user is about to see."""
        self.regret[time - self._begin] = self._world.regret(user, domain, rows, time)

    def after(self, look: Look) -> None:
        """Note what the user did."""
        self.clicks[look.time - self._begin] = look.clicked.sum()
        self.shows[look.domain, look.rows] += 1
        known = look.rows[self.shows[look.domain, look.rows] == ENOUGH]
        self.known_at[look.domain, known] = look.time
        early = look.time < self._world.items[look.domain].born[look.rows] + self.cap
        self.early_clicks[look.domain, look.rows[look.clicked & early]] += 1


class Outcome(NamedTuple):
    """The figures of one policy in one world.

    last_fifth: clicks on the last fifth of the impressions. gini: of the shows of all items. shows_20: mean impressions
    from a new item's arrival to its 20th show, at most the cap. good: the share of the best quarter of new items that
    has 20 clicks before the cap. The last two are nan without new items that the run has followed that long.
    """

    clicks: float
    regret: float
    last_fifth: float
    gini: float
    shows_20: float
    good: float


def outcome(world: World, tally: Tally) -> Outcome:
    """Return the figures of a run. New items are those that arrived at least the cap before its end."""
    settings = world.settings
    waits, early, appeal = _of_new_items(world, tally)
    best = appeal >= np.quantile(appeal, 0.75) if len(appeal) else np.zeros(0, np.bool_)
    return Outcome(
        float(tally.clicks.sum()),
        float(tally.regret.sum()),
        float(tally.clicks[-(settings.impressions // 5) :].sum()),
        gini(tally.shows.ravel().astype(float), tally.shows.size),
        float(waits.mean()) if len(waits) else np.nan,
        float((early[best] >= ENOUGH).mean()) if best.any() else np.nan,
    )


def _of_new_items(world: World, tally: Tally) -> tuple[Floats, Ints, Floats]:
    """Return what the new items waited for, their early clicks, and their appeal at arrival."""
    waits, early, appeal = [], [], []
    for domain, items in enumerate(world.items):
        new = (items.born >= world.settings.before) & (items.born + tally.cap <= world.settings.end)
        waits.append(np.minimum(tally.known_at[domain, new] - items.born[new], tally.cap))
        early.append(tally.early_clicks[domain, new])
        appeal.append(items.appeal[new])
    return np.concatenate(waits).astype(float), np.concatenate(early), np.concatenate(appeal)
