"""Everything that speaks for an item, as numbers: the candidates of one user and their signal matrix."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.catalogue import Catalogue
from models.covisitation import CoVisitation
from models.history import History, Recent
from models.popularity import HALF_LIVES, Popularity

POPULARITY = tuple(f"popularity_{name}" for name in HALF_LIVES)
NAMES = (*POPULARITY, "co_visitation", "co_visitation_sources", "text", "text_all", "affinity")
SINGLE = (*POPULARITY, "co_visitation", "text")
"""Signals that can rank alone, as comparison arms."""

SHORT, LONG = 40, 60
"""How many candidates a signal puts forward."""
LAST = 20
"""How many recent items an event is co-visited with."""


class Candidates(NamedTuple):
    """rows: (C,) distinct item rows, ascending; signals: (C, len(NAMES)) float64."""

    rows: NDArray[np.int64]
    signals: NDArray[np.float64]


class Signals:
    """The fast state of all domains, updated by every event; reading it changes nothing."""

    def __init__(self, catalogues: list[Catalogue], history: History) -> None:
        self.catalogues = catalogues
        self.history = history
        domains = range(len(catalogues))
        self.popularity = [Popularity() for _ in domains]
        self.visits = [[CoVisitation() for _ in domains] for _ in domains]
        """visits[a][b]: from items of a to items of b."""
        self._centre = [np.zeros(c.dim) for c in catalogues]
        self._centred = [0 for _ in domains]

    def observe(self, domain: int, user: int, item: int, time: float) -> None:
        """Learns from one event; call before `History.add`."""
        self.popularity[domain].add(item, time)
        recent = self.history.recent(user)
        for other in range(len(self.catalogues)):
            rows = np.unique(recent.row[-LAST:][recent.domain[-LAST:] == other]).astype(np.int64)
            if other == domain:
                rows = rows[rows != item]
            ones = np.ones(len(rows), np.float32)
            self.visits[other][domain].add_to(rows, item, ones)
            self.visits[domain][other].add_from(item, rows, ones)
        catalogue = self.catalogues[domain]
        if catalogue.has_vector[item]:
            self._centred[domain] += 1
            self._centre[domain] += (catalogue.vectors[item] - self._centre[domain]) / self._centred[domain]

    def candidates(
        self, domain: int, user: int | None, time: float, affinity: NDArray[np.float32] | None
    ) -> Candidates:
        """The union of every signal's top list, without what the user has had or may not be recommended."""
        catalogue = self.catalogues[domain]
        size = catalogue.size
        open_ = catalogue.recommendable[:size].copy()
        open_[self.history.seen_rows(user, domain)] = False
        recent = self.history.recent(user)
        dense = {
            "co_visitation": self._visited(domain, recent, size, own=True),
            "co_visitation_sources": self._visited(domain, recent, size, own=False),
            "text": self._text(domain, recent, size, own=True),
            "text_all": self._text(domain, recent, size, own=False),
            "affinity": None if affinity is None else affinity[:size],
        }
        chosen = np.zeros(size, np.bool_)
        for name in HALF_LIVES:
            top = self.popularity[domain].top(name)
            chosen[top[open_[top]][:SHORT]] = True
        for scores in dense.values():
            if scores is not None:
                chosen[_best(scores, open_, LONG)] = True
        rows = np.flatnonzero(chosen)
        if len(rows) < LONG:  # a user who has had most of what is known: anything still open
            rest = np.flatnonzero(open_ & ~chosen)
            order = np.argsort(-self.popularity[domain].column("ever", size, time)[rest], kind="stable")
            rows = np.sort(np.concatenate([rows, rest[order[: LONG - len(rows)]]]))
        signals = np.zeros((len(rows), len(NAMES)))
        counts = self.popularity[domain].log_counts(rows, time)
        signals[:, : len(HALF_LIVES)] = np.logaddexp(counts, np.log(0.1))
        for column, (name, scores) in enumerate(dense.items(), len(HALF_LIVES)):
            if scores is not None:
                values = scores[rows].astype(np.float64)
                signals[:, column] = _compressed(values, name)
        return Candidates(rows, signals)

    def single(self, name: str, domain: int, user: int | None, time: float) -> NDArray[np.float32]:
        """(rows,): one signal alone for every item of the domain."""
        size = self.catalogues[domain].size
        if name in POPULARITY:
            counts = self.popularity[domain].column(name.removeprefix("popularity_"), size, time)
            return np.exp(counts).astype(np.float32)
        recent = self.history.recent(user)
        read = {"co_visitation": self._visited, "text": self._text}[name]
        scores = read(domain, recent, size, own=True)
        return np.zeros(size, np.float32) if scores is None else scores.astype(np.float32)

    def _visited(self, domain: int, recent: Recent, size: int, own: bool) -> NDArray[np.float64] | None:
        """`Σ_j count(j → i) / √(n_j n_i)` over the user's recent items j of this domain, or of the others."""
        total: NDArray[np.float64] | None = None
        for other in range(len(self.catalogues)):
            rows = recent.row[recent.domain == other].astype(np.int64)
            if (other == domain) != own or not len(rows):
                continue
            weights = np.exp(-0.5 * self.popularity[other].log_counts(rows, -np.inf)[:, -1])
            part = self.visits[other][domain].spread(rows, weights, size)
            total = part if total is None else total + part
        if total is not None:
            found = np.flatnonzero(total)
            total[found] *= np.exp(-0.5 * self.popularity[domain].log_counts(found, -np.inf)[:, -1])
        return total

    def _text(self, domain: int, recent: Recent, size: int, own: bool) -> NDArray[np.float32] | None:
        """`cos(q, z_i)`, q the mean of the user's recent item vectors, each less its domain's mean."""
        profile = np.zeros(self.catalogues[domain].dim)
        for other in range(len(self.catalogues)):
            rows = recent.row[recent.domain == other]
            rows = rows[self.catalogues[other].has_vector[rows]] if len(rows) else rows
            if (own and other != domain) or not len(rows):
                continue
            profile += (self.catalogues[other].vectors[rows] - self._centre[other]).sum(0)
        norm = np.linalg.norm(profile)
        if not norm:
            return None
        vectors = self.catalogues[domain].vectors[:size]
        scores: NDArray[np.float32] = vectors @ (profile / norm).astype(np.float32)
        return scores

    def drop_item(self, domain: int, row: int) -> None:
        self.popularity[domain].drop(row)
        for other in range(len(self.catalogues)):
            self.visits[domain][other].drop_from(row)
            self.visits[other][domain].drop_to(row)

    def state(self) -> dict[str, Any]:
        return {
            "popularity": [p.state() for p in self.popularity],
            "visits": [[v.state() for v in line] for line in self.visits],
            "centre": [c.copy() for c in self._centre],
            "centred": list(self._centred),
        }

    def load(self, state: dict[str, Any]) -> None:
        for popularity, held in zip(self.popularity, state["popularity"], strict=True):
            popularity.load(held)
        for line, lines in zip(self.visits, state["visits"], strict=True):
            for visits, held in zip(line, lines, strict=True):
                visits.load(held)
        self._centre = [c.copy() for c in state["centre"]]
        self._centred = [int(n) for n in state["centred"]]


def _best(scores: NDArray[Any], open_: NDArray[np.bool_], k: int) -> NDArray[np.int64]:
    """Rows of the k highest scores among the open ones (of those above the lowest score, when sparse)."""
    rows = np.flatnonzero(open_ & (scores != 0))
    return rows if len(rows) <= k else rows[np.argpartition(scores[rows], len(rows) - k)[len(rows) - k :]]


def _compressed(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Brings a signal to the scale of one: co-visits as logarithms, the network's affinity per list."""
    if name.startswith("co_"):
        return np.log1p(20 * values)
    if name == "affinity":
        return np.asarray((values - values.mean()) / (values.std() + 1e-9))
    return values
