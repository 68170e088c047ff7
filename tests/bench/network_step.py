"""Measure what a step of the network costs, by its size: `python -m tests.bench.network_step [EVENTS]`.

Three domains of 3,000 items each, 5,000 users, both with the long tails of real catalogues; half of the events are
ratings. The same stream (30,000 events unless said) is learned 256, 1,024 and 4,096 events at a time. CPU time of one
thread, of the median call. Then the vectors of 1, 256 and 4,096 users.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import sys
import time
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.network.config import NetworkConfig
from models.network.network_learner import NetworkLearner
from models.schema import Domain
from models.tables.catalogue import Catalogue
from models.tables.user_history import History
from models.threads import use_one_thread
from models.transfer.strategies import Strategy

DOMAINS = [Domain("movies", "source"), Domain("music", "source"), Domain("books", "target")]
ITEMS, USERS, TEXT = 3_000, 5_000, 64
SIZES = (256, 1_024, 4_096)


class Stream(NamedTuple):
    """Events in the order of time; (n,) each."""

    domain: NDArray[np.int64]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    residual: NDArray[np.float32]
    time: NDArray[np.float64]


def long_tailed(rng: np.random.Generator, n: int, rows: int) -> NDArray[np.int64]:
    """(n,) rows, by a power law: the first tenth of them has half of the draws."""
    return np.minimum((rows * rng.random(n) ** 3.3).astype(np.int64), rows - 1)


def stream(events: int, seed: int = 0) -> Stream:
    rng = np.random.default_rng(seed)
    residual = rng.normal(0.0, 1.0, events).astype(np.float32)
    residual[rng.random(events) < 0.5] = np.nan
    return Stream(
        rng.integers(0, len(DOMAINS), events),
        long_tailed(rng, events, USERS),
        long_tailed(rng, events, ITEMS),
        residual,
        1e9 + 60.0 * np.arange(events),
    )


def learner(strategy: Strategy | Literal["auto"]) -> NetworkLearner:
    """Return a network that takes steps as large as one that has learned many events."""
    config = NetworkConfig(strategy=strategy, growth=1)
    rng = np.random.default_rng(1)
    catalogues = [Catalogue(ITEMS, TEXT) for _ in DOMAINS]
    for d, catalogue in enumerate(catalogues):
        for n in range(ITEMS):
            row, _ = catalogue.touch(f"{d}-{n}")
            catalogue.set_vector(row, rng.standard_normal(TEXT).astype(np.float32) / 8)
    return NetworkLearner(DOMAINS, catalogues, History(catalogues), config)


class Cost(NamedTuple):
    """CPU seconds of the median call, steps of each call, and its events."""

    seconds: float
    steps: float
    events: int


def learned(network: NetworkLearner, events: Stream, size: int) -> Cost:
    """Learn the stream in batches of this size. The first half is warm-up and is not counted."""
    seconds, before = [], 0
    for start in range(0, len(events.user) - size + 1, size):
        part = [column[start : start + size] for column in events]
        recent = []
        for domain, user, item, _, at in zip(*part, strict=True):
            recent.append(network.context(int(user)))
            network.history.add(int(user), int(domain), int(item), float(at))
        begun = time.process_time()
        network.begin(*part, np.stack(recent))()
        if 2 * (start + size) > len(events.user):
            seconds.append(time.process_time() - begun)
        else:
            before = network.steps
    return Cost(float(np.median(seconds)), (network.steps - before) / len(seconds), size)


def main() -> None:
    use_one_thread()
    events = stream(int(sys.argv[1]) if len(sys.argv) > 1 else 30_000)
    strategies: tuple[Strategy | Literal["auto"], ...] = ("correct", "auto")
    for strategy in strategies:
        for size in SIZES:
            network = learner(strategy)
            cost = learned(network, events, size)
            milliseconds, microseconds = 1e3 * cost.seconds, 1e6 * cost.seconds / cost.events
            steps = f"{cost.steps:3.1f} steps"
            print(
                f"{strategy:8} {size:5,} events: {milliseconds:6.1f} ms in {steps}, {microseconds:5.1f} µs an event"
            )
    for users in (1, 256, 4_096):
        recent = network.history.newest([n % USERS for n in range(users)], network.config.recent)
        rounds, begun = max(4_096 // users, 4), time.process_time()
        for _ in range(rounds):
            network.user_vectors_of(recent)
        microseconds = 1e6 * (time.process_time() - begun) / rounds / users
        print(f"vectors of {users:5,} users: {microseconds:6.1f} µs a user")


if __name__ == "__main__":
    main()
