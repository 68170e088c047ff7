"""Measure what learning from impressions, and exploration, are worth: users click what the learner's lists show.

`python -m tests.bench.explore mute 0 1` (world, seed, explore; more: impressions, "told" for the informed ranker).
A fast stand-in of a closed loop, without log and store: users see lists of 10, with position bias and fatigue, and half
of the items arrive during the run. It prints clicks, those of the last fifth, and the concentration of shows.
"""

from __future__ import annotations

import sys
import time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arms.arm_comparison import ArmComparison
from models.schema import Domain, Impression, Interaction, Item
from models.settings import LearningSettings, RankerSettings

Floats = NDArray[np.float64]

USERS, ITEMS, PLACES = 1000, 1000, 10
SHARES = (0.5, 0.3, 0.2)
DIMS, TEXT = 8, 24
BEFORE = 0.4
"""Greedy impressions before the run, as a share of those of the run."""
TOGETHER = 16
START = 1_700_000_000_000
RATE = -3.4
APPEAL = 0.8
TIRED, RECOVERS = 0.5, 0.9


class World(NamedTuple):
    """taste: (users, 8). words: (domains, items, 24). known: (domains, items, 8). appeal: (domains, items)."""

    taste: Floats
    words: Floats
    known: Floats
    appeal: Floats
    activity: Floats


def world(kind: str, random: np.random.Generator) -> World:
    """Return a world: in `text`, a quarter of the variance of appeal is told by text, in `mute` nothing."""
    shape = (len(SHARES), ITEMS)
    known = random.standard_normal((*shape, DIMS)) / np.sqrt(DIMS)
    told = random.standard_normal(shape)
    share = 0.25 if kind == "text" else 0.0
    appeal = APPEAL * (np.sqrt(share) * told + np.sqrt(1 - share) * random.standard_normal(shape))
    mixed = np.concatenate([known * np.sqrt(DIMS), told[..., None]], 2) @ random.standard_normal(
        (DIMS + 1, TEXT)
    )
    words = mixed + 0.3 * random.standard_normal((*shape, TEXT))
    taste = random.standard_normal((USERS, DIMS))
    activity = random.gamma(1.0, 1.0, USERS)
    return World(taste, words, known, appeal, activity / activity.sum())


class Loop:
    """One learner whose lists users see."""

    def __init__(self, kind: str, seed: int, explore: float, informed: bool) -> None:
        self.random = np.random.default_rng(seed)
        self.world = world(kind, np.random.default_rng(1000 + seed))
        self.names = [f"d{n}" for n in range(len(SHARES))]
        domains = [Domain(name, "both", catalogue="required") for name in self.names]
        self.explore = explore
        settings = LearningSettings(
            users=2 * USERS, items_per_domain=2 * ITEMS, threads=1, ranker=RankerSettings(explore=0.0)
        )
        self.arms, self.informed = ArmComparison(domains, settings), informed
        self.there = [0] * len(SHARES)
        self.tired: dict[tuple[int, int], dict[int, float]] = {}
        self.shows = np.zeros((len(SHARES), ITEMS), np.int64)
        self.clicks = np.zeros((len(SHARES), ITEMS), np.int64)
        self.born = np.zeros((len(SHARES), ITEMS), np.int64)
        self.reached = np.full((len(SHARES), ITEMS), -1)
        self.liked = np.full((len(SHARES), ITEMS), -1)
        self.now = 0
        for d in range(len(SHARES)):
            self.arrive(d, ITEMS // 2)

    def arrive(self, d: int, upto: int) -> None:
        """Let items arrive."""
        name, rows = self.names[d], range(self.there[d], upto)
        vectors = {}
        for n in rows:
            self.arms.put_item(Item(name, f"i{n}", f"title {n}"))
            vectors[name, f"i{n}"] = self.world.words[d, n].astype(np.float32)
            self.born[d, n] = self.now
        if vectors:
            self.arms.put_text_vectors(vectors, True)
            if self.informed:
                self.arms.full.appeal.tell(
                    name, [f"i{n}" for n in rows], self.world.appeal[d, list(rows)].tolist()
                )
        self.there[d] = upto

    def run(self, impressions: int, arriving: bool) -> list[int]:
        """Show lists; return the number of clicks of each batch."""
        full, found = self.arms.full, list[int]()
        for begin in range(0, impressions, TOGETHER):
            d = int(self.random.choice(len(SHARES), p=SHARES))
            if arriving:
                self.arrive(d, ITEMS // 2 + (ITEMS // 2) * begin // impressions)
            users = np.unique(self.random.choice(USERS, TOGETHER, p=self.world.activity))
            stamp = START + 30_000 * self.now
            names = [f"u{u}" for u in users]
            lists = self.arms.recommend(names, self.names[d], PLACES, 0, stamp)
            events = []
            for u, lines in zip(users.tolist(), lists, strict=True):
                events += self._see(u, d, [int(line.item_id[1:]) for line in lines], stamp)
            for event in events:
                full.impressions.answer(event)
            full.shown.learn()
            if events:
                self.arms.learn(events)
            if self.now % 1024 < TOGETHER:
                self.arms.end_batch()
            self.now += len(users)
            found.append(len(events))
        return found

    def _see(self, u: int, d: int, items: list[int], stamp: int) -> list[Interaction]:
        user, full = f"u{u}", self.arms.full
        ids = tuple(f"i{n}" for n in items)
        if not ids:
            return []
        full.impressions.take(
            Impression(self.names[d], user, ids, stamp + 1, stamp, f"{user}-{stamp}"), full.catalogues[d]
        )
        tired = self.tired.setdefault((u, d), {})
        logit = RATE + self.world.known[d, items] @ self.world.taste[u] + self.world.appeal[d, items]
        logit -= TIRED * np.array([tired.get(n, 0.0) for n in items])
        theta = np.arange(1.0, len(items) + 1) ** -0.7
        clicked = self.random.random(len(items)) < theta / (1 + np.exp(-logit))
        self.tired[u, d] = {n: RECOVERS * v for n, v in tired.items() if v > 0.05}
        for n, hit in zip(items, clicked.tolist(), strict=True):
            self.shows[d, n] += 1
            self.clicks[d, n] += hit
            if not hit:
                self.tired[u, d][n] = self.tired[u, d].get(n, 0.0) + 1.0
            if self.shows[d, n] == 20:
                self.reached[d, n] = self.now
            if self.clicks[d, n] == 20:
                self.liked[d, n] = self.now
        return [
            Interaction(self.names[d], "click", user, ids[k], stamp + 2 + k, impression=f"{user}-{stamp}")
            for k in np.flatnonzero(clicked).tolist()
        ]


def gini(shows: NDArray[np.int64]) -> float:
    """Return how concentrated shows are, 0 for equal ones."""
    ordered = np.sort(shows.ravel()).astype(np.float64)
    n = len(ordered)
    return float(2 * (np.arange(1, n + 1) @ ordered) / (n * ordered.sum()) - (n + 1) / n)


def main(kind: str, seed: int, explore: float, impressions: int, informed: bool) -> None:
    """Run a world once, and print what came of it."""
    loop = Loop(kind, seed, explore, informed)
    shown = loop.arms.full.shown
    before = sum(loop.run(int(BEFORE * impressions), False))
    began, begin = loop.now, time.perf_counter()
    loop.shows[:] = 0
    exploration = shown.exploration._replace(explore=explore)
    shown.exploration, shown.lists = exploration, shown.lists._replace(exploration=exploration)
    clicks = loop.run(impressions, True)
    seconds = time.perf_counter() - begin
    fifth = sum(clicks[-len(clicks) // 5 :])
    late = loop.born > began
    waited = np.where(loop.reached[late] < 0, loop.now, loop.reached[late]) - loop.born[late]
    best = (
        late & (loop.world.appeal >= np.quantile(loop.world.appeal, 0.75)) & (loop.born < loop.now - 10_000)
    )
    good = np.mean((loop.liked[best] >= 0) & (loop.liked[best] - loop.born[best] <= 10_000))
    print(  # noqa: T201
        f"{kind} seed {seed} explore {explore:g}{' told' if informed else ''}: before {before}, clicks {sum(clicks)}, "
        f"last fifth {fifth}, gini {gini(loop.shows):.3f}, 20 shows {waited.mean():.0f}, good {good:.3f}; "
        f"{1000 * seconds / (loop.now - began):.2f} ms an impression"
    )
    model = shown.clicks
    for d in range(len(SHARES)):
        rows = np.arange(loop.arms.full.catalogues[d].size)
        estimate = shown.appeal.of(d, rows)
        ids = [int(i[1:]) for i in loop.arms.full.catalogues[d].id_of[: len(rows)]]
        many = shown.appeal.column(d, "expected", rows) > 3
        told = (
            np.corrcoef(estimate.mean[many], loop.world.appeal[d, ids][many])[0, 1] if many.sum() > 2 else 0
        )
        print(  # noqa: T201
            f"  {loop.names[d]}: w {model.weights[d, 0].round(2)}, gains {model.gains[d].round(1)}, k "
            f"{shown.appeal.strength(d):.2f}, corr {told:.2f} of {many.sum()}, "
            f"arms {[loop.arms.serving(f'u{u}', loop.names[d]).arm for u in (0, 1, 2)]}"
        )


if __name__ == "__main__":
    words = sys.argv[1:]
    main(words[0], int(words[1]), float(words[2]), int((words[3:4] or ["50000"])[0]), "told" in words)
