"""Keep one orthonormal basis of text directions for all domains, which grows with them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import Checkpointed, Rows

SETTLED_TEXTS = 256
"""Texts from which on a domain has all its columns. Principal directions of fewer say little about later texts."""
LEAST_SHARE = 1 / 3
"""Smallest share of the free columns that a new domain gets."""
SPARE_DOMAINS = 0.25
"""Domains beyond those of the config for which columns are reserved."""
LEAST_LENGTH = 1e-3
"""A direction along which all texts together differ by less is a rounding error."""
MOST_DIRECTIONS = 0.8
"""Largest share of all directions for which a randomized decomposition is accurate."""

Array = NDArray[np.float32]


class Claim(msgspec.Struct):
    """A domain's part of the basis. leading, trailing: granted columns. took_…: how many of them it has used."""

    leading: int
    trailing: int
    took_leading: int = 0
    took_trailing: int = 0
    texts: int = 0
    """Texts that the latest fit saw."""
    columns: list[bool] = []
    """(dim,) columns that its vectors use. Columns that other domains add later stay zero in them."""

    @property
    def settled(self) -> bool:
        """Return whether the domain has enough texts for all its columns."""
        return self.texts >= SETTLED_TEXTS

    def open(self, texts: int) -> tuple[int, int]:
        """Return the leading and trailing columns that it may take with this many texts: half until it has enough."""
        few = texts < SETTLED_TEXTS
        leading, trailing = (-(-n // 2) if few else n for n in (self.leading, self.trailing))
        return max(0, leading - self.took_leading), max(0, trailing - self.took_trailing)


class TextBasis(Checkpointed):
    """Up to `dim` orthonormal columns over raw text vectors (width D), about the mean of the first texts.

    A column never changes, because users' tastes and shared weights are learned on it. A new domain gets a share of the
    free columns, for the principal directions of its texts that the present columns do not cover. It uses the earlier
    columns too. So domains with similar texts share directions, and the others are orthogonal: what is learned in one
    is no noise in the other. It gets the same share of the `leading` columns, on which tastes are learned, and of the
    others.

    domains: the names in the config, among which columns are shared out. Others may come.
    """

    def __init__(self, dim: int, leading: int, domains: Sequence[str]) -> None:
        self.dim, self.leading, self.domains = dim, min(leading, dim), list(domains)
        self.claims: dict[str, Claim] = {}
        self.mean: Array | None = None
        self._columns = np.zeros((dim, 0), np.float32)
        """(dim, D): each row is a column of the basis."""
        self._written = DirtyKeys()

    @property
    def used(self) -> NDArray[np.bool_]:
        """(dim,): which columns exist."""
        return np.asarray(self._columns.any(axis=1))

    def due(self, domain: str, texts: int) -> bool:
        """Return whether a fit with this many texts could add columns of the domain."""
        claim = self.claims.get(domain)
        return claim is None or (
            not claim.settled
            and (texts >= SETTLED_TEXTS or (texts >= 2 * claim.texts and any(claim.open(texts))))
        )

    def fit(self, texts: Mapping[str, Array]) -> None:
        """Add columns for the domains of these waiting raw vectors, (n, D) each."""
        self._grant([name for name in texts if name not in self.claims])
        # A domain counts by its texts, up to the number that is enough.
        weighted, weights = np.concatenate(list(texts.values())), []
        for raw in texts.values():
            weights += [math.sqrt(min(len(raw), SETTLED_TEXTS) / len(raw))] * len(raw)
        scale = np.array(weights, np.float32)[:, None]
        if self.mean is None:
            self.mean = np.average(weighted, axis=0, weights=scale[:, 0] ** 2).astype(np.float32)
            self._columns = np.zeros((self.dim, weighted.shape[1]), np.float32)
        left = (weighted - self.mean) * scale
        for _ in range(2):  # a second time, against rounding errors
            left -= left @ self._columns.T @ self._columns
        self._add(left, {name: len(raw) for name, raw in texts.items()})
        for name, raw in texts.items():
            self.claims[name].texts, self.claims[name].columns = len(raw), self.used.tolist()
        self._written.everything()

    def copy(self) -> TextBasis:
        """Return a basis with the same columns that may be fitted while this one is used."""
        copied = TextBasis(self.dim, self.leading, self.domains)
        copied.mean, copied._columns = self.mean, self._columns.copy()
        copied.claims = {name: msgspec.structs.replace(claim) for name, claim in self.claims.items()}
        return copied

    def take_up(self, grown: TextBasis) -> None:
        """Replace columns and claims by those of a fitted copy."""
        self.mean, self._columns, self.claims = grown.mean, grown._columns, grown.claims
        self._written.everything()

    def project(self, domain: str, raw: Array) -> Array:
        """Return the (n, dim) projections of (n, D) raw vectors. A domain without a fit uses every column."""
        assert self.mean is not None
        projected = (raw - self.mean) @ self._columns.T
        claim = self.claims.get(domain)
        if claim is not None:
            projected[:, ~np.array(claim.columns)] = 0.0
        return np.asarray(projected, np.float32)

    def grew_to(self, state: dict[str, Any]) -> bool:
        """Return whether a state has all columns of this basis, about the same mean, so that it may only have more."""
        if self.mean is None:
            return True
        there = state["columns"]
        if there.shape != self._columns.shape or not np.array_equal(state["mean"], self.mean):
            return False
        return np.array_equal(there[self.used], self._columns[self.used])

    def _free(self) -> tuple[int, int]:
        """Return the numbers of leading and trailing columns that neither exist nor are granted."""
        used = self.used
        granted = np.zeros(2, int)
        for claim in self.claims.values():
            granted += claim.leading - claim.took_leading, claim.trailing - claim.took_trailing
        leading = self.leading - int(used[: self.leading].sum()) - int(granted[0])
        return leading, self.dim - self.leading - int(used[self.leading :].sum()) - int(granted[1])

    def _grant(self, newcomers: Sequence[str]) -> None:
        """Share the free columns among these domains and those that may still come."""
        if not newcomers:
            return
        to_come = sum(name not in self.claims and name not in newcomers for name in self.domains)
        count = len(newcomers)
        share = max(count / (count + to_come + SPARE_DOMAINS), LEAST_SHARE)
        leading, trailing = (round(share * free) for free in self._free())
        for n, name in enumerate(newcomers):
            self.claims[name] = Claim(_part(leading, n, count), _part(trailing, n, count))

    def _add(self, left: Array, texts: Mapping[str, int]) -> None:
        """Put the principal directions of `left` (n, D), which is orthogonal to all columns, into free columns."""
        used = self.used
        allowed = {name: self.claims[name].open(count) for name, count in texts.items()}
        groups = (range(self.leading), range(self.leading, self.dim))
        places = []
        for group, columns in enumerate(groups):
            free = [column for column in columns if not used[column]]
            places += free[: sum(found[group] for found in allowed.values())]
        if not places or not len(left):
            return
        directions = principal(left, len(places))
        self._columns[places[: len(directions)]] = directions
        leading = sum(column < self.leading for column in places[: len(directions)])
        trailing = len(directions) - leading
        for name, (may_lead, may_trail) in allowed.items():
            claim = self.claims[name]
            claim.took_leading += min(may_lead, leading)
            claim.took_trailing += min(may_trail, trailing)
            leading -= min(may_lead, leading)
            trailing -= min(may_trail, trailing)

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "mean": self.mean,
            "columns": Rows(self._written, self._columns),
            "claims": {name: msgspec.to_builtins(claim) for name, claim in self.claims.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.mean, self._columns = state["mean"], state["columns"].copy()
        self.claims = {name: msgspec.convert(claim, Claim) for name, claim in state["claims"].items()}
        self._written.everything()

    def load_frozen(self, mean: Array, components: Array) -> None:
        """Load the basis (D, dim) of an early state. Its columns stay; its free columns are for new domains."""
        self.mean, self._columns, self.claims = mean, np.ascontiguousarray(components.T), {}
        self._written.everything()


def _part(whole: int, n: int, parts: int) -> int:
    """Return the n-th of several nearly equal whole parts."""
    return (n + 1) * whole // parts - n * whole // parts


def principal(left: Array, count: int) -> Array:
    """Return (up to count, D) orthonormal rows: the directions in which the rows of `left` are longest, longest first.

    If many are equally long, any mix of them is as good, but an exact decomposition tends to give each to one text and
    none to the others. A randomized decomposition shares them (Halko, Martinsson and Tropp, 2011).

    >>> print(np.abs(principal(np.array([[3, 0], [0, 1]], np.float32), 2)))  # the signs are free
    [[1. 0.]
     [0. 1.]]
    """
    if count > MOST_DIRECTIONS * min(left.shape):
        _, lengths, found = np.linalg.svd(left, full_matrices=False)
    else:
        from sklearn.utils.extmath import randomized_svd  # noqa: PLC0415  (slow import)

        _, lengths, found = randomized_svd(left, count, random_state=0)
    kept: Array = found[:count][lengths[:count] > LEAST_LENGTH].astype(np.float32)
    return kept
