"""Project raw text vectors of any width to item vectors of one width, once their domain is known well enough."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import Checkpointed, Named
from models.text.basis import TextBasis

FIT_ITEMS = 5000
"""New raw vectors, of all domains, from which on a fit comes at once."""
FIT_FIRST = 8
"""Fewest raw vectors of a domain for a fit when no more are coming for now."""
NAMED_SCALE = 0.5
"""Length of a projected image or audio vector. Projected text vectors are between 0.3 and 0.9 long."""

Key = tuple[str, str]
"""Domain and item id."""
Array = NDArray[np.float32]
Vectors = dict[Key, Array]
"""Vectors by domain and item id."""


class Fit(NamedTuple):
    """A fit that was begun.

    new: by domain, the raw vectors that came since the fit before. due: the domains that it adds columns for.
    """

    new: dict[str, int]
    due: frozenset[str]
    grown: Future[TextBasis]


class Projection(Checkpointed):
    """Projects on a `TextBasis`, and keeps the raw vectors that it may still be fitted on.

    A domain's raw vectors wait until it has enough texts: at most `FIT_ITEMS` new ones of all domains, and
    `SETTLED_TEXTS` for each domain. At each fit the waiting ones get new coordinates; the others stay. A fit on
    thousands of texts takes about a second, so it may go on beside learning. One that has not ended is not part of the
    state: it begins anew after a restart.
    """

    def __init__(self, dim: int, leading: int, domains: Sequence[str]) -> None:
        self.dim = dim
        self.basis = TextBasis(dim, leading, domains)
        self._waiting: Vectors = {}
        self._new: dict[str, int] = {}
        """By domain, its raw vectors that came after the last fit and after the last pause of the encoder."""
        self._fit: Fit | None = None
        self._width = 0
        self._written = DirtyKeys()
        self.follows = False
        """Whether the basis is that of another process, so that nothing is fitted here; see `follow`."""

    @property
    def width(self) -> int:
        """The width of the raw vectors, 0 before the first."""
        return self._width

    @property
    def fits(self) -> bool:
        """Whether a fit was begun whose result is not in use yet."""
        return self._fit is not None

    def take(self, raw: Vectors, idle: bool, beside: bool = False) -> Vectors:
        """Add raw vectors by key; return all item vectors that are new or changed.

        idle: the encoder has no more texts for now. beside: a fit goes on in a thread of its own, and a later call
        returns what it changes.
        """
        projected: Vectors = {}
        for key, vector in raw.items():
            claim = self.basis.claims.get(key[0])
            if claim is None or not claim.settled:
                self._wait(key, vector)
            if claim is not None or (self.follows and self.basis.mean is not None):
                projected[key] = self.basis.project(key[0], vector[None])[0]
        if self.follows:
            self._new = {}
        elif self._fit is None and self._new and (idle or sum(self._new.values()) >= FIT_ITEMS):
            self._fit = self._begin(beside)
        if self._fit is not None and (self._fit.grown.done() or not beside):
            projected |= self._end(self._fit)
        return projected

    def follow(self, basis: dict[str, Any]) -> Vectors:
        """Use the basis of another process, as `TextBasis.live` gives it; return all item vectors that are changed.

        Raises ValueError for one that is not the present basis with more columns: other texts were projected on that.
        """
        if not self.basis.grew_to(basis):
            raise ValueError("its texts are projected on another basis than those of the items here")
        before = self.basis.claims
        self.basis.load(basis)
        changed, projected = defaultdict[str, list[Key]](list), Vectors()
        for key in self._waiting:
            claim = self.basis.claims.get(key[0])
            if claim is None or claim != before.get(key[0]):
                changed[key[0]].append(key)
        for domain, keys in changed.items():
            raw = np.stack([self._waiting[key] for key in keys])
            projected |= zip(keys, self.basis.project(domain, raw), strict=True)
            claim = self.basis.claims.get(domain)
            if claim is not None and claim.settled:
                for key in keys:
                    self.drop(key)
        return projected

    def drop(self, key: Key) -> None:
        """Note that the item has no text any more, or no row."""
        if self._waiting.pop(key, None) is not None:
            self._written.drop(flat(key))

    def _wait(self, key: Key, vector: Array) -> None:
        if not self._width:
            self._width = len(vector)
            self._written.everything()
        self._waiting[key] = vector
        self._new[key[0]] = self._new.get(key[0], 0) + 1
        self._written.add(flat(key))

    def _begin(self, beside: bool) -> Fit:
        """Begin a fit on what waits. The basis stays as it is until the end."""
        waiting: dict[str, list[Array]] = {name: [] for name in self._new}
        for (name, _), vector in self._waiting.items():
            if name in waiting:
                waiting[name].append(vector)
        due = {
            name: texts
            for name, texts in waiting.items()
            if len(texts) >= FIT_FIRST and self.basis.due(name, len(texts))
        }
        grow = partial(grown_basis, self.basis, due)
        return Fit(dict(self._new), frozenset(due), _future(grow, beside and bool(due)))

    def _end(self, fit: Fit) -> Vectors:
        """Use the basis of a fit, and return the item vectors that it changes, also of texts that came meanwhile."""
        basis, self._fit = self.basis, None
        if fit.due:
            basis.take_up(fit.grown.result())
        waiting: dict[str, Vectors] = {name: {} for name in fit.new}
        for key, vector in self._waiting.items():
            if key[0] in waiting:
                waiting[key[0]][key] = vector
        projected: Vectors = {}
        for name, texts in waiting.items():
            self._new[name] -= fit.new[name]
            claim = basis.claims.get(name)
            if basis.mean is None or not texts or (name not in fit.due and claim is not None):
                continue  # a domain with a claim was projected when its vectors came
            projected |= zip(texts, basis.project(name, np.stack(list(texts.values()))), strict=True)
            if claim is not None and claim.settled:
                self._new[name] = 0
                for key in texts:
                    self.drop(key)
        self._new = {name: count for name, count in self._new.items() if count}
        return projected

    def project_named(self, vectors: dict[str, tuple[float, ...]]) -> Array | None:
        """Return vectors made elsewhere, by a random projection fixed by name and width (Johnson and Lindenstrauss)."""
        if not vectors:
            return None
        total = np.zeros(self.dim, np.float32)
        for name, values in sorted(vectors.items()):
            vector = np.asarray(values, np.float64)
            largest = float(np.abs(vector).max())
            if largest > 0:
                vector /= (
                    largest  # scale first, else the squares of huge or tiny values leave the range of a float
                )
                unit = (vector / np.linalg.norm(vector)).astype(np.float32)
                rng = np.random.default_rng([zlib.crc32(name.encode()), len(values)])
                matrix = rng.standard_normal((len(values), self.dim), np.float32) / np.sqrt(self.dim)
                total += NAMED_SCALE * unit @ matrix
        return total

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "basis": self.basis.live(),
            "new": dict(self._new),
            "width": self._width,
            "waiting": Named(self._written, lambda: [flat(key) for key in self._waiting], self._columns),
        }

    def _columns(self, names: list[str]) -> dict[str, Array]:
        rows = [self._waiting[unflat(name)] for name in names]
        return {"raw": np.stack(rows) if rows else np.zeros((0, self._width), np.float32)}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self._fit = None
        if "basis" in state:
            self.basis.load(state["basis"])
            self._new, self._width = dict(state["new"]), int(state["width"])
            names, rows = state["waiting"]["names"], state["waiting"]["raw"]
            keys = [unflat(name) for name in names]
        else:  # an early state: before a domain had its own columns
            keys, rows = [(domain, item) for domain, item in state["pending_keys"]], state["pending"]
            rows = np.zeros((0, 0), np.float32) if rows is None else rows
            self._new, self._width = dict(Counter(domain for domain, _ in keys)), rows.shape[1]
            if state["mean"] is not None:
                self._width = len(state["mean"])
                self.basis.load_frozen(state["mean"], state["components"])
        self._waiting = dict(zip(keys, rows, strict=True))
        self._written.everything()


def grown_basis(basis: TextBasis, texts: dict[str, list[Array]]) -> TextBasis:
    """Return a copy of the basis with more columns, for these waiting raw vectors, (D,) each, by domain."""
    if not texts:
        return basis
    grown = basis.copy()
    grown.fit({name: np.stack(vectors) for name, vectors in texts.items()})
    return grown


def _future(task: Callable[[], TextBasis], beside: bool) -> Future[TextBasis]:
    """Run a task in a thread of its own, or at once."""
    if beside:
        thread = ThreadPoolExecutor(1, "text-fit")
        future = thread.submit(task)
        thread.shutdown(wait=False)  # it ends with the task
        return future
    done = Future[TextBasis]()
    done.set_result(task())
    return done


def flat(key: Key) -> str:
    """Return the key as one string, by which states name rows."""
    return "\t".join(key)


def unflat(name: str) -> Key:
    """Return the key from its string. No domain's name contains a tab."""
    domain, _, item_id = name.partition("\t")
    return domain, item_id
