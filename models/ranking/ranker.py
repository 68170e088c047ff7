"""Ranks a domain's items for a user and learns, event by event, how much each signal counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.ranking.candidates import candidate_rows
from models.ranking.conditional_logit import Choice, Context
from models.schema import Domain
from models.signals.covisit_scores import CovisitScores, spread
from models.signals.item_statistics import ItemStatistics
from models.signals.registry import KNOTS, NAMES, PRIOR, Candidates, matrix
from models.signals.signal import Query
from models.signals.text_affinity import profile, text_affinities
from models.state.tracked_tables import Live
from models.tables.catalogue import Catalogue
from models.tables.user_history import History, Recent
from models.text.top_k import Affinity

BLOCK = 64
"""Users whose text affinities are computed together: a product of two matrices is four times as fast."""


TOP = 10
NONE: NDArray[np.int64] = np.zeros(0, np.int64)


class Scored(NamedTuple):
    """rank: 0 = best of the recommendable items the user has not had, ties count against the item; None when
    the user has had it, or it is unknown or not recommendable.

    `chosen` is the item's place among the candidates, None if it is not one; `bent` (C, …) their signals.
    """

    rank: int | None
    chosen: int | None = None
    bent: NDArray[np.float32] | None = None
    context: Context | None = None
    top: NDArray[np.int64] = NONE
    """Rows of the ten best candidates, in no order; empty where there is no rank."""


class Ranked(NamedTuple):
    """One user's list, best first: rows (k,), scores (k,), contributions (k, signals), the signals' `names`.

    `contributions.sum(1)` is `scores`.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    contributions: NDArray[np.float64]
    names: tuple[str, ...] = NAMES


class Ranker(Live):
    """For every event, in order: `score`, `learn`, `observe`, then `History.add`. Times are seconds.

    An item outside the candidate set ranks after all candidates, by its popularity.
    """

    def __init__(
        self,
        domains: Sequence[Domain],
        catalogues: list[Catalogue],
        history: History,
        seed: int = 0,
        *,
        rate: float = 0.02,
    ) -> None:
        self.catalogues = catalogues
        self.history = history
        self.statistics = ItemStatistics(catalogues, history, [domain.recommend for domain in domains])
        self.choices = [Choice(PRIOR, KNOTS, NAMES, rate=rate) for _ in domains]
        self._covisits: tuple[int, Recent, float, CovisitScores] | None = None
        """Those of the latest candidates: comparison arms rank the same event."""

    # Reading

    def text(self, domain: int, users: list[int | None]) -> list[Affinity | None]:
        """Return each user's text affinity to the items of the domain; None for a user without text."""
        profiles = np.stack([profile(self.catalogues, self.history.recent(user)) for user in users])
        told: NDArray[np.bool_] = np.abs(profiles).max(1) > 0
        cosines = iter(text_affinities(self.catalogues[domain], profiles[told]))
        return [next(cosines) if tells else None for tells in told]

    def covisits(
        self, domain: int, user: int | None, time: float, eligible: NDArray[np.bool_]
    ) -> CovisitScores:
        """Return the co-visit sums of the eligible items with the user's latest ones."""
        recent = self.history.recent(user)
        held = self._covisits
        if held is None or held[0] != domain or held[1] is not recent or held[2] != time:
            scores = spread(
                self.statistics.visits,
                self.statistics.popularity,
                recent,
                domain,
                eligible,
                self.statistics.shared_clock(time),
            )
            held = self._covisits = domain, recent, time, scores
        return held[3]

    def candidates(
        self,
        domain: int,
        user: int | None,
        time: float,
        text: Affinity | None,
        network: Affinity | None,
        include: int | None = None,
    ) -> Candidates:
        """Return the candidates and their signals. text: what `text` gives for this user; include: see
        `candidate_rows`."""
        eligible = self.history.eligible(user, domain)
        self._covisits = None
        covisits = self.covisits(domain, user, time, eligible)
        rows = candidate_rows(
            eligible, self.statistics.popularity[domain], covisits, (text, network), time, include
        )
        query = Query(
            domain, user, time, rows, self.history.recent(user), self.history.count(user, domain),
            self.catalogues[domain], self.statistics, covisits, text, network,
        )  # fmt: skip
        return Candidates(rows, matrix(query))

    def score(
        self,
        domain: int,
        user: int | None,
        item: int | None,
        item_id: str,
        time: float,
        affinity: Affinity | None = None,
        only: str | None = None,
    ) -> Scored:
        """The item's rank for this user now. affinity: the network's, if there is one; only: as of `recommend`."""
        catalogue = self.catalogues[domain]
        if item is None or not catalogue.recommendable[item] or self.history.has_seen(user, domain, item_id):
            return Scored(None)
        text = self.text(domain, [user])[0]
        rows, signals = self.candidates(domain, user, time, text, affinity)
        context = self._context(domain, user, time)
        bent = self.choices[domain].bent(signals)
        scores = bent @ self._weights(domain, context, only)
        top = rows[np.argpartition(-scores, min(TOP, len(rows)) - 1)[:TOP]] if len(rows) else NONE
        at = int(np.searchsorted(rows, item))
        if at < len(rows) and rows[at] == item:
            return Scored(int((scores >= scores[at]).sum()) - 1, at, bent, context, top)
        rest = self.history.eligible(user, domain)
        rest[rows] = False
        counts = self.statistics.popularity[domain].column("ever", catalogue.size, time)
        return Scored(len(rows) + int((counts[rest] >= counts[item]).sum()) - 1, top=top)

    def _context(self, domain: int, user: int | None, time: float) -> Context:
        latest = self.history.recent(user).time[-1:]
        gap = max(0.0, time - float(latest[0])) if len(latest) else None
        return Context(user, self.history.count(user, domain), gap)

    def _weights(self, domain: int, context: Context, only: str | None) -> NDArray[np.float32]:
        """What the bent signals are weighed with."""
        weights = self.choices[domain].weights_of(context)
        if only is not None:
            weights = np.zeros_like(weights)
            weights[NAMES.index(only)] = 1.0
        return weights

    def learn(self, scored: Scored, domain: int, user: int, item: int, time: float) -> None:
        """Updates the weights, if the item was among the candidates."""
        if scored.chosen is not None and scored.bent is not None and scored.context is not None:
            self.choices[domain].learn(scored.bent, scored.chosen, scored.context._replace(user=user))

    def observe(self, domain: int, user: int, item: int, time: float) -> None:
        """Updates popularity, co-visitation and the rest of the fast state."""
        self.statistics.observe(domain, user, item, time)

    def recommend(
        self,
        domain: int,
        users: list[int | None],
        time: float,
        k: int,
        affinity: Sequence[Affinity] | None = None,
        only: str | None = None,
    ) -> list[Ranked]:
        """The best k items a user. affinity: one a user; only: the signal whose value is the score."""
        lists = []
        for at, user in enumerate(users):
            if at % BLOCK == 0:
                texts = self.text(domain, users[at : at + BLOCK])
            rows, signals = self.candidates(
                domain, user, time, texts[at % BLOCK], None if affinity is None else affinity[at]
            )
            choice = self.choices[domain]
            weights = self._weights(domain, self._context(domain, user, time), only)
            bent = choice.bent(signals)
            best = np.argsort(-(bent @ weights), kind="stable")[:k]
            contributions = choice.contributions(bent[best], weights)
            scores = contributions.sum(1)
            order = np.argsort(-scores, kind="stable")  # float32 and float64 may differ in near ties
            lists.append(Ranked(rows[best[order]], scores[order], contributions[order]))
        return lists

    def explain(
        self,
        domain: int,
        user: int | None,
        item: int,
        time: float,
        affinity: Affinity | None,
        only: str | None = None,
    ) -> Ranked:
        """One item's score and contributions for this user, whether it would be recommended or not.

        only: as of `recommend`.
        """
        text = self.text(domain, [user])[0]
        rows, signals = self.candidates(domain, user, time, text, affinity, include=item)
        choice, at = self.choices[domain], np.flatnonzero(rows == item)
        weights = self._weights(domain, self._context(domain, user, time), only)
        contributions = choice.contributions(choice.bent(signals[at]), weights)
        return Ranked(rows[at], contributions.sum(1), contributions)

    def end_future(self, newest: list[float]) -> None:
        """Let nothing count as later than the domains' clocks, in seconds."""
        self.statistics.end_future(newest)
        self._covisits = None

    def drop_item(self, domain: int, row: int) -> None:
        """The row is free, or stands for another item, from now on."""
        self.statistics.drop_item(domain, row)
        self._covisits = None

    def drop_user(self, row: int) -> None:
        """The row is free, or stands for another user, from now on."""
        for choice in self.choices:
            choice.drop_user(row)

    def live(self) -> dict[str, Any]:
        return {"signals": self.statistics.live(), "choices": [c.live() for c in self.choices]}

    def load(self, state: dict[str, Any]) -> None:
        self.statistics.load(state["signals"])
        self._covisits = None
        for choice, held in zip(self.choices, state["choices"], strict=True):
            choice.load(held)
