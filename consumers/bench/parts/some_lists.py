"""Fill a store with lists, and measure the latency of reading them."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import redis
from numpy.typing import NDArray

from serving.contract import Keys, ListedItem, RecommendationList, encode_list

DOMAIN, USERS, TOP, EXPLAINED = "books", 1_000, 50, 10
BLOCKS, CALLS = 20, 1_000
SIGNALS = ("popularity_3d", "text", "sequence", "affinity", "age")


def user(number: int) -> str:
    return f"user-{number:06}"


def a_list() -> bytes:
    """Return a list as the service writes it: 50 items, of which ten are explained; about 4 KB."""
    why = {name: 0.123456789 * n for n, name in enumerate(SIGNALS, 1)}
    items = [ListedItem(f"{DOMAIN}-{n:08}", 3.0 - n / 37, why if n < EXPLAINED else None) for n in range(TOP)]
    now = int(time.time() * 1000)
    return encode_list(RecommendationList(1, 1, now, now, items))


def fill(url: str) -> None:
    """Write a list for every user, and the popular list."""
    keys, value = Keys(), a_list()
    with redis.Redis.from_url(url, legacy_responses=False) as client:
        for n in range(USERS):
            client.set(keys.recommendations(user(n), DOMAIN), value)
        client.set(keys.popular(DOMAIN), value)


def latency(call: Callable[[str], object], seconds: float) -> dict[str, float]:
    """Call once for user after user; return the medians over blocks of each block's p50 and p99, in microseconds.

    A block has 1,000 calls. The first block is warm-up. There are 20 blocks, or as many as begin within `seconds`.
    """
    random = np.random.default_rng(0)
    found: list[NDArray[np.float64]] = []
    end = time.perf_counter() + seconds
    while len(found) <= BLOCKS and (len(found) < 2 or time.perf_counter() < end):
        users = [user(n) for n in random.integers(0, USERS, CALLS).tolist()]
        taken = []
        for one in users:
            begun = time.perf_counter()
            call(one)
            taken.append(time.perf_counter() - begun)
        found.append(np.percentile(taken, [50, 99]))
    p50, p99 = np.median(found[1:], axis=0) * 1e6
    return {"calls": CALLS * (len(found) - 1), "p50_us": float(p50), "p99_us": float(p99)}
