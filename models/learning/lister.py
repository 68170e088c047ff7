"""Rank one domain for some users, outside the stream of events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from models.learning.event_scorer import EventScorer
from models.learning.shown.exploration import Candidates
from models.learning.shown.list_maker import ListMaker, Made, Wish
from models.ranking.candidates import ROOM
from models.ranking.rankings import Ranked
from models.ranking.recommendation import Recommendation, pool_size, to_list

if TYPE_CHECKING:
    from models.learning.learner import Learner


class PersonalList(NamedTuple):
    """A list for one user, best first or as drawn. drawn_from: its candidates, None if it was not drawn."""

    items: list[Recommendation]
    drawn_from: Candidates | None = None


class Lister(NamedTuple):
    """A ranking of one domain at one time, in seconds.

    maker: adds what was learned from impressions. only: the one signal that ranks, None for all. target_only: use the
    target-only ranker.
    """

    scorer: EventScorer
    maker: ListMaker
    domain: int
    time: float
    only: str | None
    target_only: bool

    def exploring(self, explore: float) -> Lister:
        """Return one whose lists explore so much; see `Exploration`."""
        exploration = self.maker.exploration._replace(explore=explore)
        return self._replace(maker=self.maker._replace(exploration=exploration))

    def best(self, users: Sequence[int | None], k: int) -> list[Ranked]:
        """Return the best k items for each user. users: rows, None for a new user."""
        return [made.ranked for made in self.made(users, Wish(k, self.only, self.target_only))]

    def made(self, users: Sequence[int | None], wish: Wish) -> list[Made]:
        """Return a list for each user. users: rows, None for a new user."""
        asked = self.scorer.ask(users, self.domain, self.time)
        space = self.scorer.space(self.domain, asked.vector)
        if self.maker.active(self.domain):
            return self.maker.best(self.domain, asked, space, wish)
        ranker = self.scorer.models.ranker
        lists = ranker.recommend(self.domain, asked, space, wish.k, wish.only, wish.target_only)
        return [Made(ranked) for ranked in lists]

    def lists(
        self, learner: Learner, users: Sequence[str | None], wish: Wish, explain: int | None
    ) -> list[PersonalList]:
        """Return lists for people; see `Learner.lists`. users: ids."""
        how = wish.ranker or learner.list_settings
        k, diversity = wish.k, how.diversity
        explored = wish.draw is not None and how.explore > 0
        wanted = wish._replace(k=k if explored else pool_size(k, diversity), keys=users)
        lists = self.exploring(how.explore).made(
            [None if u is None else learner.users.get(u) for u in users], wanted
        )
        if wish.draw is not None:
            for user, made in zip(users, lists, strict=True):
                learner.shown.keep(user, self.domain, wish.draw, made)
        catalogue, explained = learner.catalogues[self.domain], k if explain is None else explain
        return [
            PersonalList(to_list(catalogue, made.ranked, k, explained, diversity, made.p), made.candidates)
            for made in lists
        ]

    def one(self, user: int | None, item: int) -> Ranked:
        """Return one item's score and contributions, even if it is not eligible. user, item: rows."""
        asked = self.scorer.ask([user], self.domain, self.time)
        space = self.scorer.space(self.domain, asked.vector)
        ranker = self.scorer.models.ranker
        found = ranker.explain(self.domain, asked, space, item, self.only, self.target_only)
        if self.maker.active(self.domain):
            return self.maker.added(self.domain, asked, found, Wish(1, self.only, self.target_only))
        return found

    def place(self, user: int | None, item: int, score: float) -> int | None:
        """Return the number of candidates with at least this score; None if the item is not eligible for the user."""
        if not self.scorer.history.eligible(user, self.domain)[item]:
            return None
        ranked = self.best([user], ROOM)[0]
        return int(np.count_nonzero(ranked.scores[ranked.rows != item] >= score))
