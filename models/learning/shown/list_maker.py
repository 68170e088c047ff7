"""Make lists by score, appeal and fatigue, and draw them if lists explore."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.exposure.plackett_luce import DrawnPool
from models.learning.impressions import ShownLists
from models.learning.shown.appeal import Appeal
from models.learning.shown.click_model import ClickModel
from models.learning.shown.exploration import Candidates, Exploration
from models.learning.shown.fatigue import passed_over
from models.ranking.candidates import NOTHING, Added
from models.ranking.listing import Listed, list_places, weigh_all
from models.ranking.proposal import Proposed
from models.ranking.ranker import BLOCK, NO_ROWS, Ranker
from models.ranking.rankings import Ranked, Space, ranked
from models.schema import Domain
from models.settings import ARMS, SINGLE, RankerSettings
from models.signals.registry import NAMES
from models.signals.signal import Asked
from models.tables.catalogue import Catalogue, item_hash

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

NEW_CANDIDATES, BEST_CANDIDATES = 32, 32
"""The most new items, and items of high appeal, that become candidates besides those that signals propose."""
RENEWED = 256
"""Impressions of a domain after which the strength of appeals is learned, and items of high appeal found, anew."""
MORE = ("appeal", "fatigue")
"""What is added to the signals' contributions."""


class Wish(NamedTuple):
    """What lists are wanted. only, target_only: see `Ranker.recommend`. draw: a number that names the draw, or None.

    keys: ids of the users, for the draw. ranker: how lists are made from scores, None for the learner's own settings.
    """

    k: int
    only: str | None = None
    target_only: bool = False
    draw: int | None = None
    keys: Sequence[str | None] = ()
    ranker: RankerSettings | None = None

    @property
    def arm(self) -> int | None:
        """The number of the arm in `ARMS`; None for a signal that is no arm."""
        if self.only is not None:
            return next((ARMS.index(arm) for arm, signal in SINGLE.items() if signal == self.only), None)
        return int(self.target_only)


class Made(NamedTuple):
    """One user's list. ranked: best first, or as drawn. p: (k,) see `DrawnOrder`; None if nothing was drawn.

    candidates: what it was drawn from. explored: places whose item is not among the k best.
    """

    ranked: Ranked
    p: Floats | None = None
    pool: DrawnPool | None = None
    candidates: Candidates | None = None
    explored: int = 0


class ListMaker(NamedTuple):
    """Adds appeal and fatigue to the ranker's scores, in units of the score: log odds over the calibration's slope.

    curves: (domains, RANKS) how often each rank is examined. found: empty at first; by domain and optimism, item
    rows of high appeal, and when they were found.
    """

    domains: Sequence[Domain]
    catalogues: Sequence[Catalogue]
    ranker: Ranker
    lists: ShownLists
    appeal: Appeal
    clicks: ClickModel
    curves: Floats
    exploration: Exploration
    found: dict[tuple[int, float], tuple[int, NDArray[np.int32]]]

    def active(self, domain: int) -> bool:
        """Return whether lists of a domain are made here, because something is known or lists explore."""
        return self.exploration.explore > 0 or self.appeal.known(domain)

    def best(self, domain: int, asked: Asked, space: Space, wish: Wish) -> list[Made]:
        """Return the lists of all questions."""
        made = list[Made]()
        added = Added(NOTHING.sure, self._added(domain))
        for begin in range(0, len(asked.user), BLOCK):
            wanted = np.arange(begin, min(begin + BLOCK, len(asked.user)))
            proposed = self.ranker.propose(domain, asked, space, wanted, added)
            made += self._block(domain, asked, wanted, proposed, wish)
        return made

    def _added(self, domain: int) -> NDArray[np.int32]:
        """Return item rows that become candidates."""
        key = domain, self.exploration.optimism
        since, impressions = self.found.get(key, (-1, NO_ROWS)), int(self.clicks.impressions[domain])
        if since[0] != impressions // RENEWED:
            best = self.appeal.best(domain, BEST_CANDIDATES, self.exploration.optimism)
            since = self.found[key] = impressions // RENEWED, best
        if self.exploration.explore <= 0:
            return since[1]
        new = self.appeal.new(domain, self.catalogues[domain].size, NEW_CANDIDATES)
        return np.concatenate([new, since[1]])

    def _block(self, domain: int, asked: Asked, wanted: Index, proposed: Proposed, wish: Wish) -> list[Made]:
        weighing = self.ranker.weighing(domain, wish.only, wish.target_only)
        scores = np.empty(proposed.rows.shape, np.float32)
        weigh_all(asked, wanted, proposed, weighing, scores)
        places = np.full((len(wanted), min(wish.k, proposed.rows.shape[1])), -1)
        drawn = list[tuple[Floats | None, DrawnPool | None, Candidates | None, int]]()
        parts = np.zeros((*places.shape, len(MORE)))
        for n in range(len(wanted)):
            rows = proposed.rows[n, : proposed.sizes[n]].astype(np.int64)
            more, value, sd = self._more(
                domain, int(asked.user[wanted[n]]), rows, scores[n, : len(rows)], wish
            )
            p, pool, candidates, explored = None, None, None, 0
            order = np.argsort(-value, kind="stable")[: wish.k]
            if wish.draw is not None and self.exploration.explore > 0 and len(rows):
                key = wish.keys[wanted[n]] if len(wish.keys) else None
                uniform = self.exploration.uniform(
                    key, self.domains[domain].name, wish.draw, min(wish.k, len(rows))
                )
                optimistic, new = value + self.exploration.optimism * sd, self.appeal.is_new(domain, rows)
                found = self.exploration.draw(optimistic, new, uniform)
                candidates = self.exploration.candidates(rows, optimistic, new)
                explored = len(np.setdiff1d(found.order, order, assume_unique=True))
                order, p, pool = found.order, found.p, found.shown()
            places[n, : len(order)], parts[n, : len(order)] = order, more[order]
            drawn.append((p, pool, candidates, explored))
        out = Listed(
            np.empty(places.shape, np.int32), np.empty(places.shape), np.empty((*places.shape, len(NAMES)))
        )
        list_places(asked, wanted, proposed, weighing, places, out)
        return [Made(_with(one, parts[n]), *drawn[n]) for n, one in enumerate(ranked(out))]

    def added(self, domain: int, asked: Asked, one: Ranked, wish: Wish) -> Ranked:
        """Return a ranking of the first question's items with what appeal and fatigue add."""
        scores = one.scores.astype(np.float32)
        return _with(one, self._more(domain, int(asked.user[0]), one.rows, scores, wish)[0])

    def _more(
        self, domain: int, user: int, rows: Index, scores: NDArray[np.float32], wish: Wish
    ) -> tuple[Floats, Floats, Floats]:
        """Return what appeal and fatigue add to scores (n, 2), the candidates' log odds of a click, and their sd."""
        arm = wish.arm
        slope = 1.0 if arm is None else self.clicks.slope(domain, arm)
        appeal, (share, tired) = self.appeal.of(domain, rows), self.clicks.shares(domain)
        share_of = np.where(self.appeal.sure(domain, rows), 1.0, share)
        more = np.zeros((len(rows), len(MORE)))
        more[:, 0] = share_of * appeal.mean / slope
        if tired > 0:
            curve, name = self.curves[domain], item_hash(self.domains[domain].name)
            hashes = self.catalogues[domain].hash_of[rows]
            over = passed_over(self.lists, user if user >= 0 else None, name, curve, hashes)
            more[:, 1] = tired * self.clicks.fatigue(domain) * over / slope
        value = slope * (scores.astype(np.float64) + more.sum(1))
        return more, value, appeal.sd


def _with(one: Ranked, parts: Floats) -> Ranked:
    """Return a list with what appeal and fatigue add."""
    more = parts[: len(one.rows)]
    return Ranked(
        one.rows, one.scores + more.sum(1), np.concatenate([one.contributions, more], 1), (*one.names, *MORE)
    )
