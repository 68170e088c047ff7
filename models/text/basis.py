"""The directions that texts are measured along: one orthonormal basis for all domains, which grows with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import Touched
from models.state.tracked_tables import Live, Rows

SETTLED_TEXTS = 256
"""From so many texts on, a domain has all its columns. Principal directions of fewer texts say little of later ones."""
LEAST_SHARE = 1 / 3
"""A domain that comes gets at least this share of the free columns."""
SPARE_DOMAINS = 0.25
"""How many domains more than the config names the columns have to last for."""
LEAST_LENGTH = 1e-3
"""A direction along which the texts differ by less, all together, is rounding."""
MOST_DIRECTIONS = 0.8
"""A randomized decomposition is right for at most this share of all directions."""

Array = NDArray[np.float32]


class Claim(msgspec.Struct):
    """What one domain has of the basis. leading, trailing: columns granted; took_…: of these, taken so far."""

    leading: int
    trailing: int
    took_leading: int = 0
    took_trailing: int = 0
    texts: int = 0
    """How many texts the latest fit saw."""
    columns: list[bool] = []
    """(dim,) those its vectors use. Columns that other domains add later stay zero in them."""

    @property
    def settled(self) -> bool:
        return self.texts >= SETTLED_TEXTS

    def open(self, texts: int) -> tuple[int, int]:
        """Leading and trailing columns it may take now, with so many texts: half of all until it has enough."""
        few = texts < SETTLED_TEXTS
        leading, trailing = (-(-n // 2) if few else n for n in (self.leading, self.trailing))
        return max(0, leading - self.took_leading), max(0, trailing - self.took_trailing)


class TextBasis(Live):
    """Up to `dim` orthonormal columns over raw text vectors (width D), about the mean of the first texts.

    A column never changes once it is there: users' tastes and shared weights are learned on it. A domain that comes
    gets a share of the free ones, for the principal directions of what the columns so far leave over of its texts.
    It uses the earlier columns too, so domains that speak alike share directions, and those that do not are
    orthogonal: what is learned of one is no noise in the other. Of the `leading` columns, the ones that tastes are
    learned on, and of the others it gets the same share.

    domains: the names in the config, for sharing out the columns; others may come.
    """

    def __init__(self, dim: int, leading: int, domains: Sequence[str]) -> None:
        self.dim, self.leading, self.domains = dim, min(leading, dim), list(domains)
        self.claims: dict[str, Claim] = {}
        self.mean: Array | None = None
        self._columns = np.zeros((dim, 0), np.float32)
        """(dim, D), one column of the basis a row."""
        self._written = Touched()

    @property
    def used(self) -> NDArray[np.bool_]:
        """(dim,) which columns are there."""
        return np.asarray(self._columns.any(axis=1))

    def due(self, domain: str, texts: int) -> bool:
        """Whether a fit with so many texts could add to what the domain has."""
        claim = self.claims.get(domain)
        return claim is None or (
            not claim.settled
            and (texts >= SETTLED_TEXTS or (texts >= 2 * claim.texts and any(claim.open(texts))))
        )

    def fit(self, texts: Mapping[str, Array]) -> None:
        """Adds columns for the domains of these raw vectors, (n, D) each: all that wait of them."""
        self._grant([name for name in texts if name not in self.claims])
        # A domain counts by its texts, but a large one no more than one that has enough.
        weighted, weights = np.concatenate(list(texts.values())), []
        for raw in texts.values():
            weights += [math.sqrt(min(len(raw), SETTLED_TEXTS) / len(raw))] * len(raw)
        scale = np.array(weights, np.float32)[:, None]
        if self.mean is None:
            self.mean = np.average(weighted, axis=0, weights=scale[:, 0] ** 2).astype(np.float32)
            self._columns = np.zeros((self.dim, weighted.shape[1]), np.float32)
        left = (weighted - self.mean) * scale
        for _ in range(2):  # once more against rounding
            left -= left @ self._columns.T @ self._columns
        self._add(left, {name: len(raw) for name, raw in texts.items()})
        for name, raw in texts.items():
            self.claims[name].texts, self.claims[name].columns = len(raw), self.used.tolist()
        self._written.everything()

    def project(self, domain: str, raw: Array) -> Array:
        """(n, D) to (n, dim). A domain without a fit uses every column that is there."""
        assert self.mean is not None
        projected = (raw - self.mean) @ self._columns.T
        claim = self.claims.get(domain)
        if claim is not None:
            projected[:, ~np.array(claim.columns)] = 0.0
        return np.asarray(projected, np.float32)

    def _free(self) -> tuple[int, int]:
        """Leading and trailing columns that are neither there nor granted."""
        used = self.used
        granted = np.zeros(2, int)
        for claim in self.claims.values():
            granted += claim.leading - claim.took_leading, claim.trailing - claim.took_trailing
        leading = self.leading - int(used[: self.leading].sum()) - int(granted[0])
        return leading, self.dim - self.leading - int(used[self.leading :].sum()) - int(granted[1])

    def _grant(self, newcomers: Sequence[str]) -> None:
        """Shares the free columns out to these domains and those that may still come."""
        if not newcomers:
            return
        to_come = sum(name not in self.claims and name not in newcomers for name in self.domains)
        count = len(newcomers)
        share = max(count / (count + to_come + SPARE_DOMAINS), LEAST_SHARE)
        leading, trailing = (round(share * free) for free in self._free())
        for n, name in enumerate(newcomers):
            self.claims[name] = Claim(_part(leading, n, count), _part(trailing, n, count))

    def _add(self, left: Array, texts: Mapping[str, int]) -> None:
        """Principal directions of `left` (n, D), which is orthogonal to all columns, into free columns."""
        used = self.used
        open_ = {name: self.claims[name].open(count) for name, count in texts.items()}
        groups = (range(self.leading), range(self.leading, self.dim))
        places = []
        for group, columns in enumerate(groups):
            free = [column for column in columns if not used[column]]
            places += free[: sum(found[group] for found in open_.values())]
        if not places or not len(left):
            return
        directions = principal(left, len(places))
        self._columns[places[: len(directions)]] = directions
        leading = sum(column < self.leading for column in places[: len(directions)])
        trailing = len(directions) - leading
        for name, (may_lead, may_trail) in open_.items():
            claim = self.claims[name]
            claim.took_leading += min(may_lead, leading)
            claim.took_trailing += min(may_trail, trailing)
            leading -= min(may_lead, leading)
            trailing -= min(may_trail, trailing)

    def live(self) -> dict[str, Any]:
        return {
            "mean": self.mean,
            "columns": Rows(self._written, self._columns),
            "claims": {name: msgspec.to_builtins(claim) for name, claim in self.claims.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        self.mean, self._columns = state["mean"], state["columns"].copy()
        self.claims = {name: msgspec.convert(claim, Claim) for name, claim in state["claims"].items()}
        self._written.everything()

    def load_frozen(self, mean: Array, components: Array) -> None:
        """From a state of before, (D, dim): its columns stay; what it left free is for those that come."""
        self.mean, self._columns, self.claims = mean, np.ascontiguousarray(components.T), {}
        self._written.everything()


def _part(whole: int, n: int, parts: int) -> int:
    """The n-th of so many nearly equal whole parts."""
    return (n + 1) * whole // parts - n * whole // parts


def principal(left: Array, count: int) -> Array:
    """(up to count, D) orthonormal rows: the directions in which the rows of `left` are longest, longest first.

    Where many are equally long, any mix of them is as good, but an exact decomposition tends to give each to a single
    text and leaves nothing to the others. A randomized one shares them (Halko, Martinsson and Tropp, 2011).
    """
    if count > MOST_DIRECTIONS * min(left.shape):
        _, lengths, found = np.linalg.svd(left, full_matrices=False)
    else:
        from sklearn.utils.extmath import randomized_svd  # noqa: PLC0415  (slow import)

        _, lengths, found = randomized_svd(left, count, random_state=0)
    kept: Array = found[:count][lengths[:count] > LEAST_LENGTH].astype(np.float32)
    return kept
