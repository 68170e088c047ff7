"""Recall and speed of the approximate index beside the exact product: `python -m tests.bench.vector_index [ROWS]`.

Two kinds of vectors, in 2,000 clusters, 64 dimensions: text, of unit length, asked for what is near one of them; and
network, of unequal length with a popularity component. One thread. Takes about a minute for 300,000 rows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.text.inverted_lists import VectorIndex
from models.text.top_k import Affinity, Dense, affinities
from models.threads import use_one_thread

DIM, CLUSTERS, QUERIES, TOP = 64, 2000, 300, 30
STEP = 256
"""Rows that a micro-batch changes."""


def text(random: np.random.Generator, rows: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(rows, dim) items and (QUERIES, dim) users: directions; a user is between three items of a cluster."""
    centres = random.normal(size=(CLUSTERS, DIM))
    vectors = centres[random.integers(CLUSTERS, size=rows)] + random.normal(size=(rows, DIM))
    wanted = centres[random.integers(CLUSTERS, size=QUERIES)] + 0.4 * random.normal(size=(QUERIES, DIM))
    return _unit(vectors), _unit(wanted)


def network(random: np.random.Generator, rows: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """As `text`, items of lengths as measured on Amazon kitchen after 100,000 events; the last component adds to
    the score whatever the user."""
    vectors, wanted = text(random, rows)
    lengths = random.lognormal(0.5, 0.25, size=(rows, 1))
    vectors = (vectors * lengths).astype(np.float32)
    vectors[:, -1] = random.exponential(0.4, size=rows) - 0.4
    wanted[:, -1] = 1.0
    return vectors, wanted


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float32]:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def seconds(job: Callable[[], object]) -> float:
    begun = time.perf_counter()
    job()
    return time.perf_counter() - begun


def measure(name: str, vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> None:
    random, rows = np.random.default_rng(1), len(vectors)
    index, allowed = VectorIndex(DIM, limit=rows // 2), random.random(rows) < 0.95
    trained = seconds(lambda: index.all_changed(vectors))
    filled = seconds(lambda: index.top(vectors, queries[0], allowed, TOP))
    some = random.choice(rows, STEP, replace=False)
    index.changed(some)
    moved = seconds(lambda: index.top(vectors, queries[0], allowed, TOP))

    def ask(made: Callable[[NDArray[np.float32]], Affinity]) -> tuple[list[NDArray[np.int64]], float]:
        begun = time.perf_counter()
        found = [made(query).top(allowed, TOP) for query in queries]
        return found, (time.perf_counter() - begun) / QUERIES

    exact, slow = ask(lambda query: Dense(vectors @ query))
    found, fast = ask(lambda query: affinities(index, vectors, query[None])[0])
    recall = np.mean([np.isin(one, two).mean() for one, two in zip(exact, found, strict=True)])
    print(  # noqa: T201  a script
        f"{name}: {rows:,} rows, recall@{TOP} {recall:.3f}; a query {fast * 1e3:.2f} ms, exact {slow * 1e3:.2f} ms; "
        f"centres chosen in {trained:.1f} s, lists filled in {filled:.1f} s, "
        f"{STEP} rows moved in {moved * 1e3:.1f} ms"
    )


def main() -> None:
    use_one_thread()
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    for kind in (text, network):
        measure(kind.__name__, *kind(np.random.default_rng(0), rows))


if __name__ == "__main__":
    main()
