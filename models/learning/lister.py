"""Rank one domain for some users, outside the stream of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from models.learning.event_scorer import EventScorer
from models.ranking.candidates import ROOM
from models.ranking.rankings import Ranked
from models.ranking.recommendation import Recommendation, pool_size, to_list
from models.settings import RankerSettings


class HowMade(NamedTuple):
    """How lists are made. only: the one signal that ranks, None for all. target_only: use the target-only ranker.

    ranker: how lists are made from scores, None for the learner's own settings.
    """

    only: str | None = None
    target_only: bool = False
    ranker: RankerSettings | None = None


class Lister(NamedTuple):
    """A ranking of one domain at one time, in seconds.

    only: the one signal that ranks, None for all. target_only: use the target-only ranker.
    """

    scorer: EventScorer
    domain: int
    time: float
    only: str | None
    target_only: bool

    def best(self, users: Sequence[int | None], k: int) -> list[Ranked]:
        """Return the best k items for each user. users: rows, None for a new user."""
        asked = self.scorer.ask(users, self.domain, self.time)
        space = self.scorer.space(self.domain, asked.vector)
        return self.scorer.models.ranker.recommend(self.domain, asked, space, k, self.only, self.target_only)

    def lists(
        self, users: Sequence[int | None], k: int, explained: int, how: RankerSettings
    ) -> list[list[Recommendation]]:
        """Return the list of `k` items of each user, the first `explained` with their reasons."""
        catalogue, diversity = self.scorer.catalogues[self.domain], how.diversity
        ranked = self.best(users, pool_size(k, diversity))
        return [to_list(catalogue, one, k, explained, diversity) for one in ranked]

    def one(self, user: int | None, item: int) -> Ranked:
        """Return one item's score and contributions, even if it is not eligible. user, item: rows."""
        asked = self.scorer.ask([user], self.domain, self.time)
        space = self.scorer.space(self.domain, asked.vector)
        return self.scorer.models.ranker.explain(self.domain, asked, space, item, self.only, self.target_only)

    def place(self, user: int | None, item: int, score: float) -> int | None:
        """Return the number of candidates with at least this score; None if the item is not eligible for the user."""
        if not self.scorer.history.eligible(user, self.domain)[item]:
            return None
        ranked = self.best([user], ROOM)[0]
        return int(np.count_nonzero(ranked.scores[ranked.rows != item] >= score))
