"""Measure what an impression of 20 items costs to learn, and a list with and without what impressions teach.

`python -m tests.bench.impressions`: CPU microseconds, after 8,000 events of 2,000 users on two domains of 5,000 items.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import time

import numpy as np

from models.arms.arm_comparison import ArmComparison
from models.learning.shown.list_maker import Wish
from models.schema import Domain, Impression, Interaction, Item
from models.settings import LearningSettings, RankerSettings

USERS, ITEMS, EVENTS, SHOWN, TOGETHER = 2_000, 5_000, 8_000, 20, 16
START = 1_700_000_000_000
DOMAINS = [Domain("movies"), Domain("books", "target")]


def taught(explore: float, random: np.random.Generator) -> ArmComparison:
    """Return arms that have learned events."""
    settings = LearningSettings(users=10_000, items_per_domain=10_000, ranker=RankerSettings(explore=explore))
    arms = ArmComparison(DOMAINS, settings)
    for domain in DOMAINS:
        vectors = {}
        for n in range(ITEMS):
            arms.put_item(Item(domain.name, f"i{n}", f"title {n}"))
            vectors[domain.name, f"i{n}"] = random.standard_normal(64).astype(np.float32)
        arms.put_text_vectors(vectors, True)
    for begin in range(0, EVENTS, TOGETHER):
        arms.learn(
            [
                Interaction(
                    DOMAINS[n % 2].name,
                    "click",
                    f"u{int(random.integers(USERS))}",
                    f"i{int(ITEMS * random.random() ** 3)}",
                    START + 1000 * n,
                )
                for n in range(begin, begin + TOGETHER)
            ]
        )
    arms.end_batch()
    return arms


def listed(arms: ArmComparison, users: list[str], rounds: int, draw: int) -> float:
    """Return the microseconds of a list."""
    begin = time.process_time()
    for n in range(rounds):
        arms.lists(users, "movies", Wish(50, draw=draw + n), 10)
    return 1e6 * (time.process_time() - begin) / rounds / len(users)


def main() -> None:
    """Print the figures."""
    random = np.random.default_rng(0)
    for explore in (0.0, 1.0):
        arms = taught(explore, random)
        full, users = arms.full, [f"u{n}" for n in range(32)]
        listed(arms, users, 3, START)
        print(f"explore {explore:g}: a list before impressions {listed(arms, users, 20, START):.0f} us")
        took = learned = 0.0
        for begin in range(0, 4_000, TOGETHER):
            at = START + 1000 * (EVENTS + begin)
            shown = [
                Impression(
                    "movies", f"u{int(random.integers(USERS))}",
                    tuple(f"i{n}" for n in random.choice(ITEMS, SHOWN, replace=False)), at, None, f"p{begin + k}",
                )
                for k in range(TOGETHER)
            ]  # fmt: skip
            t0 = time.process_time()
            for one in shown:
                full.impressions.take(one, full.catalogues[0])
            t1 = time.process_time()
            for one in shown[:4]:
                full.impressions.answer(
                    Interaction("movies", "click", one.user, one.items[3], at, impression=one.event_id)
                )
            full.shown.learn()
            t2 = time.process_time()
            if begin >= 1_000:
                took, learned = took + t1 - t0, learned + t2 - t1
        each = 1e6 / 3_000
        print(
            f"  an impression: kept in {each * took:.0f} us, learned in {each * learned:.0f} us (.25 clicks)"
        )
        print(f"  a list after impressions {listed(arms, users, 20, START + 100):.0f} us")


if __name__ == "__main__":
    main()
