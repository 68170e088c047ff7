"""An approximate index of item vectors by dot product, for catalogues too large to go through on every event.

Inverted lists (Sivic and Zisserman, 2003; faiss `IndexIVFScalarQuantizer`): vectors lie in the list of the nearest of
2√n centres, and a query looks only into the lists whose centres have the highest dot product with it. Lists rather
than a graph (HNSW): what a list holds depends on nothing but the centres and the vector as it is now. So vectors
can move and go, and a checkpoint needs the centres only. On dot products of unequal lengths a graph also finds less.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.threads import use_one_thread

PROBED = 8
"""A query looks into one list of so many,"""
PROBED_LEAST = 16
"""and into at least so many lists."""
FILLS = 8
"""The centres are chosen anew when all vectors have changed so many times."""
POINTS = 64
"""How many vectors a centre, at most, the choice of centres looks at."""
ROUNDS = 6
"""Of k-means."""

Array = NDArray[np.float32]
Rows = NDArray[np.int64]


class VectorIndex:
    """The highest dot products among more than `limit` rows; not `in_use` below that, where it costs nothing.

    Its owner has the vectors, and says which have changed. A zero vector is not held. Memory: about
    `2 · dim + 64` bytes a row. What is found is the same after `load(state())`, but for rows between two centres,
    which rounding may put into either's list.
    """

    def __init__(self, dim: int, limit: int) -> None:
        self.dim, self.limit = dim, limit
        self._centres: Array | None = None
        self._lists: Any = None
        self._fills = self._rows = 0
        self._stale: set[int] = set()

    @property
    def in_use(self) -> bool:
        return self._centres is not None

    def all_changed(self, vectors: Array) -> None:
        """Every vector, (rows, dim), is new: the next search fills the lists anew, now and then around new centres."""
        self._lists = None
        if not self._many(vectors):
            self._centres = None
            return
        self._fills += 1
        if self._centres is None or self._fills > FILLS or len(vectors) > 1.5 * self._rows:
            self._fills, self._rows = 0, len(vectors)
            self._centres = _chosen(vectors[vectors.any(1)])

    def _many(self, vectors: Array) -> bool:
        # The array may have room for more rows than there are.
        return len(vectors) > self.limit and int(vectors.any(1).sum()) > self.limit

    def changed(self, rows: Rows) -> None:
        """These vectors are new or gone; they are moved before the next search."""
        if self._lists is not None:
            self._stale.update(rows.tolist())

    def top(self, vectors: Array, query: Array, allowed: NDArray[np.bool_], k: int) -> Rows:
        """Up to `k` of the `allowed` rows with a high `vectors · query`, in any order. vectors: (rows, dim), all."""
        faiss = _faiss()
        if self._lists is None:
            self._fill(vectors)
        if self._stale:
            rows = np.array(sorted(self._stale), np.int64)
            self._stale.clear()
            self._lists.remove_ids(faiss.IDSelectorArray(rows))
            self._add(vectors, rows)
        bits = np.packbits(allowed, bitorder="little")
        centres = self._lists.nlist
        probed = faiss.SearchParametersIVF(
            sel=faiss.IDSelectorBitmap(bits), nprobe=min(centres, max(PROBED_LEAST, centres // PROBED))
        )
        found: Rows = self._lists.search(query[None], k, params=probed)[1][0]
        return found[found >= 0]

    def _fill(self, vectors: Array) -> None:
        faiss, centres = _faiss(), self._centres
        assert centres is not None
        nearest = faiss.IndexFlatIP(self.dim)
        nearest.add(centres)
        half = faiss.ScalarQuantizer.QT_fp16  # to find them is enough: values are computed from the vectors
        self._lists = faiss.IndexIVFScalarQuantizer(
            nearest, self.dim, len(centres), half, faiss.METRIC_INNER_PRODUCT, False
        )
        self._lists.is_trained = True
        self._lists.set_direct_map_type(faiss.DirectMap.Hashtable)  # else a removal goes through all lists
        self._stale.clear()
        self._add(vectors, np.arange(len(vectors)))

    def _add(self, vectors: Array, rows: Rows) -> None:
        held = rows[vectors[rows].any(1)]
        if len(held):
            self._lists.add_with_ids(vectors[held], held)

    def state(self) -> dict[str, Any]:
        centres = None if self._centres is None else self._centres.copy()
        return {"centres": centres, "fills": self._fills, "rows": self._rows}

    def load(self, state: dict[str, Any], vectors: Array) -> None:
        """vectors: (rows, dim), all, as they were when the state was taken."""
        self._centres = self._lists = None
        self._fills, self._rows = int(state["fills"]), int(state["rows"])
        if state["centres"] is not None and self._many(vectors):
            self._centres = state["centres"].copy()


def _chosen(vectors: Array) -> Array:
    """(about 2√n, dim) unit-length centres by spherical k-means; the same for the same vectors."""
    centres = 2 ** round(np.log2(2 * np.sqrt(len(vectors))))
    means = _faiss().Kmeans(
        vectors.shape[1], min(centres, len(vectors)), niter=ROUNDS, seed=1, spherical=True,
        min_points_per_centroid=1, max_points_per_centroid=POINTS,
    )  # fmt: skip
    means.train(vectors)
    chosen: Array = np.array(means.centroids, np.float32)
    return chosen


@cache
def _faiss() -> Any:
    """Imported when needed: most catalogues are small."""
    import faiss  # noqa: PLC0415

    use_one_thread()  # faiss brings BLAS and OpenMP of its own
    return faiss
