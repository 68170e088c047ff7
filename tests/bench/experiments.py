"""Measure how often experiments are right, and what counting costs: `python -m tests.bench.experiments`.

Users differ in activity and in clicks an impression; arms are given by the product's own hash. A/A: 200 experiments
with no lift. A/B: 100 with one. An experiment ends at its first verdict. Seeds are 0, 1, 2 …; it takes some minutes.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import time
from collections.abc import Iterator
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.experiments.experiment import Experiment, ListSettings, Unit
from models.experiments.ratio_test import compare_sums, half_width
from models.experiments.sums import ArmSums
from models.experiments.totals import CountedImpression, ExperimentTotals
from models.settings import RankerSettings
from tests.support.unit_totals import UnitTotals

USERS, LOOK, SEEDS = 1_000, 1_000, 100
ARMS = ("a", "b")
Sums = tuple[ArmSums, ArmSums]


class World(NamedTuple):
    """clicks: mean an impression. habits: coefficient of variation of users' clicks an impression. before: impressions
    before the experiment; shown: in it."""

    clicks: float
    habits: float
    before: int = 0
    shown: int = 50_000
    lift: float = 0.0


def experiment(seed: int, unit: Unit) -> Experiment:
    same = ListSettings(10, 10, RankerSettings())
    return Experiment(f"bench-{seed}", ("movies",), unit, dict.fromkeys(ARMS, same), {"a": 0.5, "b": 0.5})


def by_user(seed: int, world: World) -> Iterator[Sums]:
    """Yield the sums of both arms at each look."""
    rng, one = np.random.default_rng(seed), experiment(seed, "user")
    activity = rng.gamma(1.0, 1.0, USERS)
    activity /= activity.sum()
    rate = world.clicks * rng.gamma(1 / world.habits**2, world.habits**2, USERS)
    arm = np.array([one.arm(f"user-{user}", "movies", 1) == "b" for user in range(USERS)])
    past = rng.multinomial(world.before, activity)
    past_clicks = rng.poisson(rate * past)
    shown, clicks = np.zeros(USERS), np.zeros(USERS)
    for _ in range(world.shown // LOOK):
        more = rng.multinomial(LOOK, activity)
        shown, clicks = shown + more, clicks + rng.poisson(rate * (1 + world.lift * arm) * more)
        columns = np.stack([shown, clicks, past, past_clicks]).astype(float)
        used = (shown > 0) | (past > 0)
        yield tuple(UnitTotals(*columns[:, used & (arm == b)]).sums() for b in (False, True))  # type: ignore[misc]


def by_list(seed: int, world: World) -> Iterator[Sums]:
    """Yield the sums of both arms at each look; every impression is of a list of its own."""
    rng, one, n = np.random.default_rng(seed), experiment(seed, "list"), world.shown
    user = rng.choice(USERS, n, p=(p := rng.gamma(1.0, 1.0, USERS)) / p.sum())
    rate = world.clicks * rng.gamma(1 / world.habits**2, world.habits**2, USERS)
    arm = np.array([one.arm(f"user-{u}", "movies", k + 1) == "b" for k, u in enumerate(user.tolist())])
    clicks = rng.poisson(rate[user] * (1 + world.lift * arm)).astype(float)
    for upto in range(LOOK, n + 1, LOOK):
        yield tuple(_lists(clicks[:upto][arm[:upto] == b]) for b in (False, True))  # type: ignore[misc]


def _lists(clicks: NDArray[np.float64]) -> ArmSums:
    none = np.zeros(len(clicks))
    return UnitTotals(none + 1, clicks, none, none).sums()


def naive(sums: Sums) -> bool:
    """Return whether there is a verdict if every click counts as independent."""
    a, b = sums
    return min(a.ratio, b.ratio) > 0 and abs(log(b.ratio / a.ratio)) > half_width(1 / a.clicks + 1 / b.clicks)


def false_verdicts(world: World) -> str:
    wrong = taken = 0
    for seed in range(200):
        looks = list(by_user(seed, world))
        wrong += any(compare_sums(*sums).winner != "open" for sums in looks)
        taken += any(naive(sums) for sums in looks)
    return f"{wrong:4d} of 200 wrong (at most 10); as independent impressions {taken} (more than 40)"


def right(looks: Iterator[Iterator[Sums]]) -> str:
    first = [next((w for s in one if (w := compare_sums(*s).winner) != "open"), "open") for one in looks]
    found, early = first.count("b"), first[:20].count("b")
    return f"{found:4d} of {SEEDS} right (four of five are wanted), {first.count('a')} wrong; of the first 20: {early}"


def cost() -> str:
    """Return the microseconds of an impression of 20 items, and of a click."""
    one = experiment(0, "user")
    totals, items = ExperimentTotals([one]), np.arange(20, dtype=np.int64) * 0x1234567890ABCDEF
    seen = [CountedImpression(f"user-{n % USERS}", n % USERS, "movies", n, 0) for n in range(20_000)]
    begun = time.process_time()
    for impression in seen:
        totals.shown(impression, items)
    shown = time.process_time() - begun
    begun = time.process_time()
    for impression in seen:
        totals.clicked(impression, 0, True)
    clicked = time.process_time() - begun
    return f"{1e6 * shown / len(seen):.0f} µs an impression, {1e6 * clicked / len(seen):.0f} µs a click"


def main() -> None:
    """Print all figures."""
    for clicks in (0.1, 1.0):
        for habits, before in ((0.5, 0), (1.0, 0), (1.0, 50_000)):
            world = World(clicks, habits, before)
            told = f"A/A by user, {clicks:g} clicks, habits {habits:g}, {before:6,} before"
            print(f"{told}: {false_verdicts(world)}", flush=True)
    for clicks, lift in ((1.0, 0.03), (0.3, 0.05), (0.1, 0.1)):
        world = World(clicks, 0.5, shown=100_000, lift=lift)
        looks = (by_list(seed, world) for seed in range(SEEDS))
        print(f"A/B by list, {clicks:g} clicks, {lift:.0%}: {right(looks)}", flush=True)
    world = World(1.0, 0.5, 50_000, 100_000, 0.05)
    looks = (by_user(seed, world) for seed in range(SEEDS))
    print(f"A/B by user, 1 click, 5 %, 50,000 before: {right(looks)}", flush=True)
    print(f"counting: {cost()}")


if __name__ == "__main__":
    main()
