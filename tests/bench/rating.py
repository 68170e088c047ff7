"""Measure predicting and learning a rating, beside River's BiasedMF: `python -m tests.bench.rating [DIRECTORY]`.

DIRECTORY holds `interactions.csv.gz` (user_id, item_id, domain, rating, timestamp, in time order) and `items.csv.gz`
(item_id, domain, title, text), as of MovieLens; without it 50,000 ratings are made up. One thread. The best of three
rounds, in CPU time; errors are of predictions before learning, over all domains.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import csv
import gzip
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from river import reco
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer

from models.rating.events import RatedBatch, totals
from models.rating.model import RatingModel
from models.schema import Domain
from models.threads import use_one_thread

DIM, ROUNDS, MADE_UP = 64, 3, 50_000
RANGE = (0.5, 5.0)


class Stream(NamedTuple):
    """Ratings in time order; users and items as rows, items by domain."""

    domains: list[str]
    events: RatedBatch


def rows_of(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read(directory: Path) -> Stream:
    items = rows_of(directory / "items.csv.gz")
    ratings = [row for row in rows_of(directory / "interactions.csv.gz") if row["rating"]]
    domains = sorted({item["domain"] for item in items})
    hashed = HashingVectorizer(n_features=4096).transform([f"{i['title']} {i['text']}" for i in items])
    vectors = TruncatedSVD(DIM, random_state=0).fit_transform(hashed).astype(np.float32)
    sizes, place, at = [0] * len(domains), {}, {}
    for number, item in enumerate(items):
        domain = domains.index(item["domain"])
        place[item["item_id"]], at[item["item_id"]] = (domain, sizes[domain]), number
        sizes[domain] += 1
    users: dict[str, int] = {}
    rows = [(*place[r["item_id"]], users.setdefault(r["user_id"], len(users))) for r in ratings]
    domain, item, user = np.array(rows, np.int64).T.copy()
    of = [at[r["item_id"]] for r in ratings]
    values, times = (np.array([float(r[name]) for r in ratings]) for name in ("rating", "timestamp"))
    return stream(domains, (domain, user, item), vectors[of], values, times)


def stream(
    domains: list[str],
    rows: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    vectors: NDArray[np.float32],
    values: NDArray[np.float64],
    times: NDArray[np.float64],
) -> Stream:
    external = np.random.default_rng(0).normal(
        0.0, 0.1, len(values)
    )  # noise in place of the network's residual
    return Stream(domains, RatedBatch(*rows, vectors, values, external, times, [()] * len(values)))


def made_up() -> Stream:
    rng = np.random.default_rng(1)
    domain, user, item = (rng.integers(n, size=MADE_UP) for n in (3, 1000, 2000))
    vectors = rng.normal(0.0, 0.1, (3, 2000, DIM)).astype(np.float32)
    tastes, generous, good = rng.normal(size=(1000, DIM)), rng.normal(size=1000), rng.normal(size=(3, 2000))
    seen = vectors[domain, item]
    values = 3 + 0.5 * (generous[user] + good[domain, item]) + (tastes[user] * seen).sum(1)
    values = np.clip(values + rng.normal(size=MADE_UP) * 0.7, *RANGE)
    return stream(["a", "b", "c"], (domain, user, item), seen, values, np.arange(MADE_UP) * 30.0)


def in_batches(found: Stream, size: int) -> NDArray[np.float64]:
    """Return the predictions (events,) of a new model, which learns in batches of this size."""
    model = RatingModel([Domain(name, rating_range=RANGE) for name in found.domains], DIM)
    parts = [
        model.learn_batch(RatedBatch(*(column[n : n + size] for column in found.events)))  # type: ignore[arg-type]
        for n in range(0, len(found.events.domain), size)
    ]
    return totals(np.concatenate(parts))


def by_river(found: Stream) -> NDArray[np.float64]:
    model, rows = reco.BiasedMF(seed=0), found.events
    items = (rows.item * len(found.domains) + rows.domain).tolist()
    predicted = []
    for user, item, value in zip(rows.user.tolist(), items, rows.value.tolist(), strict=True):
        predicted.append(model.predict_one(user, item))
        model.learn_one(user, item, value)
    return np.array(predicted)


def measure(name: str, found: Stream, run: Callable[[Stream], NDArray[np.float64]]) -> None:
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        predicted = run(found)
        best = min(best, time.process_time() - start)
    error = np.clip(predicted, *RANGE) - found.events.value
    print(f"{name:24} {best / len(error) * 1e6:7.2f} µs an event   RMSE {np.sqrt((error**2).mean()):.4f}")


def main() -> None:
    use_one_thread()
    found = read(Path(sys.argv[1])) if len(sys.argv) > 1 else made_up()
    print(f"{len(found.events.domain):,} ratings, domains {', '.join(found.domains)}")
    start = time.perf_counter()
    in_batches(Stream(found.domains, RatedBatch(*(column[:1] for column in found.events))), 1)  # type: ignore[arg-type]
    print(f"compiling or reading what was compiled: {time.perf_counter() - start:.1f} s")
    for size in (1, 16, 256):
        measure(f"batches of {size}", found, lambda of, size=size: in_batches(of, size))  # type: ignore[misc]
    measure("River's BiasedMF", found, by_river)


if __name__ == "__main__":
    main()
