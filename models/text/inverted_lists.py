"""Index item vectors by dot product, approximately, so that a search costs about the same in any catalogue.

Inverted lists (Sivic and Zisserman, 2003): each vector lies in the list of the nearest of about 4√n centres. A query
searches only the lists whose centres have the highest dot product with it. Lists suit this better than a graph (HNSW):
vectors can move and be removed, and for dot products of unequal lengths a graph finds less.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import Rows
from models.text.nearest import NONE, Lists

LISTS = 4
"""The number of lists is about this many times √n."""
LOOSE, LOOSE_SHARE = 512, 64
"""Most changed vectors that wait outside the lists, where every query reads them: 512, and one in 64 of all."""
LEAST_LOOSE = 32
FILLS = 32
"""Changes of all vectors after which the centres are chosen again."""
ASSIGNED = 8
"""Changes of all vectors after which the lists are made again: vectors drift slowly."""
POINTS = 16
"""Most vectors for each centre from which the centres are chosen."""
ROUNDS = 6
"""Rounds of k-means."""

Array = NDArray[np.float32]
RowIds = NDArray[np.int64]


class VectorIndex:
    """Inverted lists of more than `limit` vectors. With fewer, a search reads all of them.

    Its owner holds the vectors and says which have changed. It does not hold zero vectors. The lists are part of the
    state, because their rows depend on when they were made. Memory: `dim + 16` bytes a row, and the centres.

    Two kinds of vectors come into lists of their own:

    >>> index, vectors = VectorIndex(dim=2, limit=2), np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.float32)
    >>> index.all_changed(vectors)
    >>> lists = index.lists(vectors, size=4)
    >>> [lists.members[a:b].tolist() for a, b in zip(lists.begin, lists.begin[1:]) if a < b]
    [[0, 2], [1, 3]]
    """

    def __init__(self, dim: int, limit: int) -> None:
        self.dim, self.limit = dim, limit
        self._centres = np.zeros((0, dim), np.float32)
        self._list_of = np.zeros(0, np.int32)
        """(rows,): 1 + the number of the row's list; 0 for none."""
        self.written = DirtyKeys()
        self._loose: dict[int, None] = {}
        self._drifted: list[RowIds] = []
        self._place = np.zeros(0, np.int32)
        """(rows,): place of the row among the members; NONE for no place."""
        self._fills = self._rows = 0
        self._lists: Lists | None = None

    @property
    def in_use(self) -> bool:
        """Return whether there are lists."""
        return len(self._centres) > 0

    def all_changed(self, vectors: Array) -> None:
        """Note that every vector, (rows, dim), is new."""
        self._lists = None
        held = vectors.any(1)
        count = int(held.sum())
        if count <= self.limit:
            self._centres = self._centres[:0]
            self._loose.clear()
            return
        self._fills += 1
        if not self.in_use or self._fills > FILLS or count > 1.5 * self._rows:
            self._fills, self._rows = 0, count
            self._centres = _chosen(vectors[held])
        elif self._fills % ASSIGNED and len(vectors) == len(self._list_of):
            # Other rows have drifted only. A row that came or went since is in the wrong list, or in none.
            self.changed(np.flatnonzero(held != (self._list_of > 0)))
            return
        self._assign(vectors)

    def changed(self, rows: RowIds) -> None:
        """Note that these vectors are new or removed: they leave their lists."""
        if not self.in_use:
            return
        self._loose.update(dict.fromkeys(rows.tolist()))
        if self._lists is not None:
            held = rows[rows < len(self._place)]
            places = self._place[held]
            self._lists.members[places[places != NONE]] = NONE
            self._lists = self._lists._replace(loose=self._loose_rows(self._lists.size))

    def drifted(self, rows: RowIds) -> None:
        """Note that these vectors have moved a little: they stay in their lists."""
        if self.in_use and self._lists is not None:
            self._drifted.append(rows)

    def lists(self, vectors: Array, size: int) -> Lists:
        """Return what a kernel searches. vectors: (rows, dim), all; size: how many rows exist."""
        if len(self._loose) > max(LEAST_LOOSE, min(LOOSE, size // LOOSE_SHARE)):
            self._assign(vectors, np.fromiter(self._loose, np.int64))
            self._lists = None
        if self._lists is None:
            self._lists = self._made(vectors, size)
        elif self._lists.size != size:
            self._lists = self._lists._replace(loose=self._loose_rows(size), size=size)
        if self._drifted:
            rows = np.unique(np.concatenate(self._drifted))
            rows = rows[rows < len(self._place)]
            places = self._place[rows]
            self._pack(self._lists, places[places != NONE], vectors[rows[places != NONE]])
        return self._lists

    def _loose_rows(self, size: int) -> NDArray[np.int32]:
        if not self.in_use:
            return np.arange(size, dtype=np.int32)
        return np.fromiter((row for row in self._loose if row < size), np.int32)

    def _pack(self, lists: Lists, places: NDArray[np.int32], vectors: Array) -> None:
        """Write these vectors, (n, dim), as bytes of the members at these places."""
        self._drifted = []
        largest = np.abs(vectors).max(1, initial=1e-30).astype(np.float32)
        lists.scale[places] = largest / 127
        lists.packed[places] = np.rint(vectors * (127 / largest)[:, None])

    def _assign(self, vectors: Array, rows: RowIds | None = None) -> None:
        """Put vectors into the list of their nearest centre: those of `rows`, which hold all loose ones, or all."""
        if rows is None or len(self._list_of) < len(vectors):
            rows, self._list_of = np.arange(len(vectors)), np.zeros(len(vectors), np.int32)
        for begin in range(0, len(rows), 4096):
            some = rows[begin : begin + 4096]
            block = vectors[some]
            nearest_centre = (block @ self._centres.T).argmax(1) + 1
            self._list_of[some] = np.where(block.any(1), nearest_centre, 0)
        self._loose.clear()
        self.written.update(rows.tolist())

    def _made(self, vectors: Array, size: int) -> Lists:
        loose = self._loose_rows(size)
        listed = self._list_of.copy() if self.in_use else np.zeros(0, np.int32)
        if self.in_use:
            listed[loose[loose < len(listed)]] = 0
        order = np.argsort(listed, kind="stable").astype(np.int32)
        begin = np.searchsorted(listed[order], np.arange(1, len(self._centres) + 2)).astype(np.int32)
        packed, scale = np.zeros((len(order), self.dim), np.int8), np.zeros(len(order), np.float32)
        made = Lists(self._centres, begin, order, packed, scale, loose, size)
        self._place = np.full(len(order), NONE, np.int32)
        places = np.arange(begin[0] if len(begin) else 0, len(order), dtype=np.int32)
        self._place[order[places]] = places
        self._pack(made, places, vectors[order[places]])
        return made

    def state(self) -> dict[str, Any]:
        """Return what `load` takes, for a live state."""
        return {
            "limit": self.limit,
            "centres": self._centres if self.in_use else None,
            "fills": self._fills,
            "rows": self._rows,
            "list_of": Rows(self.written, self._list_of),
            "loose": np.array(list(self._loose), np.int64),
        }

    def load(self, state: dict[str, Any], vectors: Array) -> None:
        """Load a state. vectors: all, (rows, dim), as they were when the state was taken."""
        self._lists = None
        self._fills, self._rows = int(state["fills"]), int(state["rows"])
        few = state.get("limit") != self.limit and int(vectors.any(1).sum()) <= self.limit
        centres = None if few else state["centres"]
        self._centres = np.zeros((0, self.dim), np.float32) if centres is None else centres.copy()
        self._list_of, self._loose = np.zeros(0, np.int32), {}
        if "list_of" in state and not few:
            self._list_of = state["list_of"].copy()
            self._loose = dict.fromkeys(state["loose"].tolist())
        elif self.in_use:
            self._assign(vectors)
        else:
            self.all_changed(vectors)
        self.written.everything()


def _chosen(vectors: Array) -> Array:
    """Return about 4√n centres of unit length by spherical k-means, (L, dim); equal for equal vectors."""
    count = min(2 ** round(np.log2(LISTS * np.sqrt(len(vectors)))), len(vectors))
    sample = vectors[:: max(1, len(vectors) // (POINTS * count))]
    centres = np.array(sample[np.linspace(0, len(sample) - 1, count).astype(np.int64)])
    for _ in range(ROUNDS):
        nearest_centre = (sample @ centres.T).argmax(1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest_centre, sample)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(length > 0, sums / np.maximum(length, 1e-12), centres).astype(np.float32)
    return centres
