"""Everything that speaks for an item, as numbers: the candidates of one user and their signal matrix."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.catalogue import Catalogue
from models.changes import Live
from models.covisitation import CoVisitation
from models.history import History, Recent
from models.nearest import Affinity, best, leading
from models.popularity import HALF_LIVES, Popularity
from models.stage import Stage
from models.text_affinity import profile, text_affinities, to_own
from models.visits import SIGNALS as VISITS
from models.visits import spread

POPULARITY = tuple(f"popularity_{name}" for name in HALF_LIVES)
NAMES = (*POPULARITY, *VISITS, "text", "text_nearest", "text_own", "stage", "age", "affinity")
SINGLE = (*POPULARITY, *VISITS, "text")
"""Signals that can rank alone, as comparison arms."""
PRIOR = {"popularity_3d": 0.3, "popularity_30d": 0.3, "sequence": 0.5, "co_visitation_30d": 0.3, "text": 0.5}
"""Weights before the first event, so that a young domain ranks sensibly."""
KNOTS = {
    "popularity": (1.3, 2.8, 4.3, 5.8),
    "sequence": (0.1, 0.7, 1.4, 2.2),
    "co_visitation": (0.1, 0.7, 1.4, 2.2),
    "text": (-0.1, 0.1, 0.25, 0.45),
    "text_nearest": (0.1, 0.25, 0.4, 0.6),
    "stage": (-1.2, -0.6, -0.2, 0.2),
    "age": (2.0, 4.5, 6.5, 8.0),
    "affinity": (-1.0, 0.0, 1.0, 2.0),
}
"""Where a signal's slope may change, by the longest name that begins its own."""

TOP = 30
"""How many candidates a signal puts forward."""
LEAST = 100
"""How many candidates there are at least, as long as items are open."""


def knots() -> NDArray[np.float64]:
    """(4, signals)."""
    keys = sorted(KNOTS, key=len)
    return np.array([KNOTS[[k for k in keys if name.startswith(k)][-1]] for name in NAMES]).T


class Candidates(NamedTuple):
    """rows: (C,) distinct item rows, ascending; signals: (C, signals) float64."""

    rows: NDArray[np.int64]
    signals: NDArray[np.float64]


class Signals(Live):
    """The fast state of all domains, updated by every event; reading it changes nothing."""

    def __init__(
        self, catalogues: list[Catalogue], history: History, listed: list[bool] | None = None
    ) -> None:
        """listed: of each domain, whether anybody reads lists of it (default: of all). One that gets them later starts
        without stages."""
        self.listed = listed or [True for _ in catalogues]
        self.catalogues = catalogues
        self.history = history
        self.popularity = [Popularity(lists) for lists in self.listed]
        self.stage = [Stage() for _ in catalogues]
        self.visits = CoVisitation(len(catalogues))
        self._spread: tuple[int, Recent, float, NDArray[np.int64], NDArray[np.float64]] | None = None
        """The latest candidates' co-visits: the comparison arms rank the same event."""

    def observe(self, domain: int, user: int, item: int, time: float) -> None:
        """Learns from one event; call before `History.add`."""
        recent = self.history.recent(user)
        self.popularity[domain].add(item, time)
        if self.listed[domain]:
            self.stage[domain].add(item, self.history.count(user, domain))
        self.visits.add(domain, item, recent.domain, recent.row, self._shared(time))

    def _shared(self, time: float) -> float:
        """The newest of all domains' clocks: co-visits of all of them are counted by one, or one domain that is years
        behind another would take the other's counts for huge ones."""
        return max(time, *(popularity.newest for popularity in self.popularity))

    def text(self, domain: int, users: list[int | None]) -> list[Affinity | None]:
        """Each user's text affinity to the items of the domain; None for a user without text."""
        profiles = np.stack([profile(self.catalogues, self.history.recent(user)) for user in users])
        told: NDArray[np.bool_] = np.abs(profiles).max(1) > 0
        cosines = iter(text_affinities(self.catalogues[domain], profiles[told]))
        return [next(cosines) if tells else None for tells in told]

    def candidates(
        self,
        domain: int,
        user: int | None,
        time: float,
        text: Affinity | None,
        network: Affinity | None,
        include: int | None = None,
    ) -> Candidates:
        """The union of every signal's top list, without what the user has had or may not be recommended.

        text: what `text` gives for this user; network: its affinity, if there is one. include: a row that is
        a candidate in any case (to explain it).
        """
        catalogue, popularity = self.catalogues[domain], self.popularity[domain]
        size = catalogue.size
        open_ = catalogue.recommendable[:size].copy()
        open_[self.history.seen_rows(user, domain)] = False
        recent = self.history.recent(user)
        chosen = np.zeros(size, np.bool_)
        for name in HALF_LIVES:
            top = popularity.top(name)
            chosen[top[open_[top]][:TOP]] = True
        visited, visits = spread(self.visits, self.popularity, recent, domain, open_, self._shared(time))
        self._spread = domain, recent, time, visited, visits
        for sums in visits:
            chosen[visited[best(sums, sums > 0, TOP)]] = True
        for affinity in (text, network):
            if affinity is not None:
                chosen[affinity.top(open_, TOP)] = True
        if include is not None:
            open_[include] = chosen[include] = True
        rows = np.flatnonzero(chosen)
        if len(rows) < LEAST:  # a user who has had most of what is known: anything still open
            rest = np.flatnonzero(open_ & ~chosen)
            demand = popularity.column("ever", size, time)[rest]
            rows = np.sort(np.concatenate([rows, rest[leading(demand, LEAST - len(rows))]]))
        signals = np.zeros((len(rows), len(NAMES)))
        at = len(POPULARITY)
        signals[:, :at] = np.log1p(10 * np.exp(popularity.log_counts(rows, time)))
        if len(visited):
            place = np.minimum(np.searchsorted(visited, rows), len(visited) - 1)
            signals[:, at : at + len(VISITS)] = np.where(
                (visited[place] == rows)[:, None], np.log1p(visits[:, place].T), 0.0
            )
        at += len(VISITS)
        if text is not None:
            signals[:, at] = text.values(rows)
            signals[:, at + 1 : at + 3] = to_own(catalogue, recent, domain, rows)
        signals[:, at + 3] = self.stage[domain].fit(rows, self.history.count(user, domain))
        signals[:, at + 4] = popularity.ages(rows, time)
        if network is not None and len(rows):
            values = np.nan_to_num(network.values(rows).astype(np.float64))
            signals[:, at + 5] = (values - values.mean()) / (values.std() + 1e-9)
        return Candidates(rows, signals)

    def single(
        self, name: str, domain: int, user: int | None, time: float, open_: NDArray[np.bool_]
    ) -> NDArray[np.floating[Any]]:
        """(rows,): one signal alone, right for the open items only; of a popularity its logarithm."""
        size = self.catalogues[domain].size
        if name in POPULARITY:
            return self.popularity[domain].column(name.removeprefix("popularity_"), size, time)
        recent, scores = self.history.recent(user), np.zeros(size, np.float32)
        if name == "text":
            text = self.text(domain, [user])[0]
            return scores if text is None else text.values(np.arange(size))
        held = self._spread
        if held is not None and held[0] == domain and held[1] is recent and held[2] == time:
            rows, visits = held[3:]
        else:
            rows, visits = spread(self.visits, self.popularity, recent, domain, open_, self._shared(time))
        scores[rows] = visits[list(VISITS).index(name)]
        return scores

    def single_top(
        self, name: str, domain: int, scores: NDArray[np.floating[Any]], open_: NDArray[np.bool_], k: int
    ) -> NDArray[np.int64]:
        """The k highest open rows of what `single` gave, in any order."""
        if name in POPULARITY:
            listed = self.popularity[domain].top(name.removeprefix("popularity_"))
            if len(top := listed[open_[listed]][:k]) == k:
                return top
        return best(scores, open_, k)

    def drop_item(self, domain: int, row: int) -> None:
        self.popularity[domain].drop(row)
        self.stage[domain].drop(row)
        self.visits.drop(domain, row)
        self._spread = None

    def end_future(self, newest: list[float]) -> None:
        """Nothing counts as later than the domains' clocks (s)."""
        for popularity, now in zip(self.popularity, newest, strict=True):
            popularity.end_future(now)
        self.visits.end_future(max(newest))
        self._spread = None

    def live(self) -> dict[str, Any]:
        return {
            "popularity": [p.live() for p in self.popularity],
            "stage": [s.live() for s in self.stage],
            "visits": self.visits.live(),
        }

    def load(self, state: dict[str, Any]) -> None:
        for name in ("popularity", "stage"):
            for part, held in zip(getattr(self, name), state[name], strict=True):
                part.load(held)
        self.visits.load(state["visits"])
        self._spread = None
