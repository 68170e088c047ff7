"""Measure recall and speed of the approximate index beside exact products: `python -m tests.bench.vector_index [ROWS]`.

Two kinds of vectors, in 2,000 clusters, 64 dimensions: text, of unit length, asked for what is near one of them; and
network, of unequal length with a popularity component. One thread. Takes about a minute for 300,000 rows.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.text.inverted_lists import VectorIndex
from models.text.nearest import Searched, nearest, room_to_find
from models.threads import use_one_thread

DIM, CLUSTERS, QUERIES, TOP = 64, 2000, 300, 30
STEP = 256
"""Number of rows that a micro-batch changes."""


def text(random: np.random.Generator, rows: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (rows, dim) items and (QUERIES, dim) users as directions; a user is between three items of a cluster."""
    centres = random.normal(size=(CLUSTERS, DIM))
    vectors = centres[random.integers(CLUSTERS, size=rows)] + random.normal(size=(rows, DIM))
    wanted = centres[random.integers(CLUSTERS, size=QUERIES)] + 0.4 * random.normal(size=(QUERIES, DIM))
    return _unit(vectors), _unit(wanted)


def network(random: np.random.Generator, rows: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return items and users as `text` does, but with lengths as on Amazon kitchen. The last component adds to
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
    """Print recall, and what a search, a change of some vectors and one of all vectors cost."""
    random, rows = np.random.default_rng(1), len(vectors)
    index, eligible = VectorIndex(DIM, limit=rows // 2), random.random(rows) < 0.95
    closed, room = np.zeros(rows, np.int32), room_to_find(TOP, rows)
    made = seconds(lambda: index.all_changed(vectors))
    listed = seconds(lambda: index.lists(vectors, rows))

    def search(query: NDArray[np.float32]) -> set[int]:
        found = nearest(query, Searched(vectors, index.lists(vectors, rows), eligible, closed, 1), room)
        return set(room.rows[:found].tolist())

    search(queries[0])  # compiles, or reads what was compiled
    index.changed(random.choice(rows, STEP, replace=False))
    moved = seconds(lambda: search(queries[0]))
    began = time.process_time()
    found = [search(query) for query in queries]
    fast = (time.process_time() - began) / len(queries)
    began = time.process_time()
    scores = [np.where(eligible, vectors @ query, -np.inf) for query in queries]
    exact = [set(np.argpartition(-one, TOP)[:TOP].tolist()) for one in scores]
    slow = (time.process_time() - began) / len(queries)
    recall = np.mean([len(a & b) / TOP for a, b in zip(found, exact, strict=True)])
    print(
        f"{name}: recall@{TOP} {recall:.3f}, {1e6 * fast:.0f} µs a search instead of {1e6 * slow:.0f}; "
        f"centres and lists made in {made:.1f} s, a view in {1e3 * listed:.0f} ms; "
        f"the first search after {STEP} changes {1e3 * moved:.0f} ms"
    )


def main() -> None:
    use_one_thread()
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    for name, made in (("text", text), ("network", network)):
        measure(name, *made(np.random.default_rng(0), rows))


if __name__ == "__main__":
    main()
