"""Everything that speaks for an item, as numbers: the candidates of one user and their signal matrix."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.catalogue import Catalogue
from models.covisitation import KINDS, CoVisitation
from models.history import History, Recent
from models.popularity import HALF_LIVES, Popularity
from models.stage import Stage

POPULARITY = tuple(f"popularity_{name}" for name in HALF_LIVES)
VISITS = {
    "sequence": "next",
    "sequence_60d": "next_60d",
    "sequence_10d": "next_10d",
    "sequence_reversed": "previous",
    "co_visitation": "with",
    "co_visitation_sources": "with",
    "co_visitation_60d": "with_60d",
    "co_visitation_10d": "with_10d",
}
"""Signal: the kind of co-visit count it spreads."""
VISIT_KINDS = [KINDS.index(kind) for kind in VISITS.values()]
COSINE = ["co_visitation" == name or name == "co_visitation_sources" for name in VISITS]
NAMES = (*POPULARITY, *VISITS, "text", "text_nearest", "stage", "freshness", "age", "affinity")
SINGLE = (*POPULARITY, *VISITS, "text")
"""Signals that can rank alone, as comparison arms."""
PRIOR = {"popularity_3d": 0.3, "popularity_30d": 0.3, "sequence": 0.5, "co_visitation_60d": 0.3, "text": 0.5}
"""Weights before the first event, so that a young domain ranks sensibly."""
KNOTS = {
    "popularity": (1.3, 2.8, 4.3, 5.8),
    "sequence": (0.1, 0.7, 1.4, 2.2),
    "co_visitation": (0.1, 0.7, 1.4, 2.2),
    "text": (-0.1, 0.1, 0.25, 0.45),
    "text_nearest": (0.1, 0.25, 0.4, 0.6),
    "stage": (-1.2, -0.6, -0.2, 0.2),
    "freshness": (1.0, 3.0, 5.0, 7.5),
    "age": (2.0, 4.5, 6.5, 8.0),
    "affinity": (-1.0, 0.0, 1.0, 2.0),
}
"""Where a signal's slope may change, by the longest name that begins its own."""

TOP = 40
"""How many candidates a signal puts forward."""
FADE = 0.8
"""Weight of the k-th latest item in a user's sequence and text profile: FADE^(k-1)."""
SEQUENCE, NEAREST = 10, 20
"""How many latest items a sequence goes on from, and how many a text may be near to."""
VISITED = 20
NEVER = 9.0
"""log(1 + days) of an event that never was (22 years)."""


def knots() -> NDArray[np.float64]:
    """(4, signals)."""
    keys = sorted(KNOTS, key=len)
    return np.array([KNOTS[[k for k in keys if name.startswith(k)][-1]] for name in NAMES]).T


class Candidates(NamedTuple):
    """rows: (C,) distinct item rows, ascending; signals: (C, signals) float64."""

    rows: NDArray[np.int64]
    signals: NDArray[np.float64]


class Signals:
    """The fast state of all domains, updated by every event; reading it changes nothing."""

    def __init__(self, catalogues: list[Catalogue], history: History) -> None:
        self.catalogues = catalogues
        self.history = history
        self.popularity = [Popularity() for _ in catalogues]
        self.stage = [Stage() for _ in catalogues]
        self.visits = CoVisitation(len(catalogues))

    def observe(self, domain: int, user: int, item: int, time: float) -> None:
        """Learns from one event; call before `History.add`."""
        recent = self.history.recent(user)
        self.popularity[domain].add(item, time)
        self.stage[domain].add(item, self._events(user))
        self.visits.add(domain, item, recent.domain, recent.row, time)

    def _events(self, user: int | None) -> int:
        events = self.history.events
        return int(events[user].sum()) if user is not None and user < len(events) else 0

    def candidates(
        self, domain: int, user: int | None, time: float, affinity: NDArray[np.float32] | None
    ) -> Candidates:
        """The union of every signal's top list, without what the user has had or may not be recommended."""
        catalogue, popularity = self.catalogues[domain], self.popularity[domain]
        size = catalogue.size
        open_ = catalogue.recommendable[:size].copy()
        open_[self.history.seen_rows(user, domain)] = False
        recent = self.history.recent(user)
        chosen = np.zeros(size, np.bool_)
        for name in HALF_LIVES:
            top = popularity.top(name)
            chosen[top[open_[top]][:TOP]] = True
        visited, visits = self._visited(domain, recent, open_, time)
        for scores in visits.T:
            chosen[visited[_best(scores, TOP)]] = True
        text = self._text(domain, recent, size)
        for dense in (text, None if affinity is None else affinity[:size]):
            if dense is not None:
                chosen[_best(np.where(open_, dense, -np.inf), TOP)] = True
        rows = np.flatnonzero(chosen & open_)
        if len(rows) < TOP:  # a user who has had most of what is known: anything still open
            rest = np.flatnonzero(open_ & ~chosen)
            order = np.argsort(-popularity.column("ever", size, time)[rest], kind="stable")
            rows = np.sort(np.concatenate([rows, rest[order[: TOP - len(rows)]]]))
        signals = np.zeros((len(rows), len(NAMES)))
        at = len(POPULARITY)
        signals[:, :at] = np.log1p(10 * np.exp(popularity.log_counts(rows, time)))
        if len(visited):
            place = np.minimum(np.searchsorted(visited, rows), len(visited) - 1)
            signals[:, at : at + len(VISITS)] = np.where(
                (visited[place] == rows)[:, None], np.log1p(visits[place]), 0.0
            )
        at += len(VISITS)
        if text is not None:
            signals[:, at] = text[rows]
            latest = recent.row[recent.domain == domain][-NEAREST:]
            if len(latest):
                units = catalogue.directions.units
                signals[:, at + 1] = (units[rows] @ units[latest].T).max(1)
        signals[:, at + 2] = self.stage[domain].fit(rows, self._events(user))
        ages = np.log1p(popularity.ages(rows, time))
        signals[:, at + 3] = np.where(np.isnan(ages[:, 1]), 0.0, NEVER - ages[:, 1])
        signals[:, at + 4] = np.where(np.isnan(ages[:, 0]), 0.0, 1.0 + ages[:, 0])
        if affinity is not None and len(rows):
            values = affinity[rows].astype(np.float64)
            signals[:, at + 5] = (values - values.mean()) / (values.std() + 1e-9)
        return Candidates(rows, signals)

    def single(self, name: str, domain: int, user: int | None, time: float) -> NDArray[np.float32]:
        """(rows,): one signal alone for every item of the domain."""
        size = self.catalogues[domain].size
        if name in POPULARITY:
            counts = self.popularity[domain].column(name.removeprefix("popularity_"), size, time)
            return np.exp(counts).astype(np.float32)
        recent, scores = self.history.recent(user), np.zeros(size, np.float32)
        if name == "text":
            text = self._text(domain, recent, size)
            return scores if text is None else text
        rows, visits = self._visited(domain, recent, np.ones(size, np.bool_), time)
        scores[rows] = visits[:, list(VISITS).index(name)]
        return scores

    def _visited(
        self, domain: int, recent: Recent, open_: NDArray[np.bool_], time: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Open items co-visited with the user's recent ones: rows (U,) ascending, scores (U, visit signals).

        `Σ_j a_j count(j → i) / √n_j` over recent items j (n: events of the item). Sequences: the latest 10, with
        a_j fading; co-visitation: all, and the cosines, from this domain and from the others, divide by √n_i too.
        """
        recent = Recent(*(field[-VISITED:] for field in recent))
        slots = self.visits.slots_of(recent.domain, recent.row)
        at, rows, weights = self.visits.neighbours(domain, slots)
        kept = open_[rows]
        at, rows, weights = at[kept], rows[kept], weights[kept]
        if not len(rows):
            return np.zeros(0, np.int64), np.zeros((0, len(VISITS)))
        marked = np.zeros(len(open_), np.bool_)
        marked[rows] = True
        found = np.flatnonzero(marked)
        index = np.empty(len(open_), np.int64)
        index[found] = np.arange(len(found))
        inside = index[rows]

        own, each = recent.domain == domain, np.zeros((len(slots), len(VISITS)))
        lag = np.arange(len(slots))[::-1]
        fading = np.where(lag < SEQUENCE, FADE**lag, 0.0)
        for column, name in enumerate(VISITS):
            each[:, column] = fading if name.startswith("sequence") else 1.0
            if name == "co_visitation":
                each[~own, column] = 0.0
            if name == "co_visitation_sources":
                each[own, column] = 0.0
        counts = np.ones(len(slots))
        for other in np.unique(recent.domain):
            here = recent.domain == other
            counts[here] = self.popularity[other].counts_ever(recent.row[here].astype(np.int64))
        each *= 10.0 / np.sqrt(counts)[:, None]
        values = weights[:, VISIT_KINDS] / self.visits.growth(time)[VISIT_KINDS] * each[at]
        scores = np.empty((len(found), len(VISITS)))
        for column in range(len(VISITS)):
            scores[:, column] = np.bincount(inside, values[:, column], minlength=len(found))
        scores[:, COSINE] *= 2.0 / np.sqrt(self.popularity[domain].counts_ever(found))[:, None]
        return found, scores

    def _text(self, domain: int, recent: Recent, size: int) -> NDArray[np.float32] | None:
        """`cos(q, z_i)`, q the fading mean of the directions of the user's recent items, of all domains."""
        profile = np.zeros(self.catalogues[domain].dim)
        fading = FADE ** np.arange(len(recent.row))[::-1]
        for other in np.unique(recent.domain):
            here = recent.domain == other
            units = self.catalogues[other].directions.units
            if len(units):
                profile += fading[here] @ units[recent.row[here]]
        norm = np.linalg.norm(profile)
        units = self.catalogues[domain].directions.units
        if not norm or not len(units):
            return None
        scores: NDArray[np.float32] = units[:size] @ (profile / norm).astype(np.float32)
        return scores

    def drop_item(self, domain: int, row: int) -> None:
        self.popularity[domain].drop(row)
        self.stage[domain].drop(row)
        self.visits.drop(domain, row)

    def state(self) -> dict[str, Any]:
        return {
            "popularity": [p.state() for p in self.popularity],
            "stage": [s.state() for s in self.stage],
            "visits": self.visits.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        for name in ("popularity", "stage"):
            for part, held in zip(getattr(self, name), state[name], strict=True):
                part.load(held)
        self.visits.load(state["visits"])


def _best(scores: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Places of the k highest scores, of those that say anything (are not 0 or -inf)."""
    places = np.flatnonzero((scores != 0) & (scores > -np.inf))
    if len(places) <= k:
        return places
    best: NDArray[np.int64] = places[np.argpartition(scores[places], len(places) - k)[len(places) - k :]]
    return best
