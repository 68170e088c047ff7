"""The ranker's laws, on a synthetic stream."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from models.ranking.single_signal import scores_by, top_by

from models.ranking.ranker import Ranker
from models.schema import Domain
from models.signals.registry import RANKS_ALONE
from models.tables.catalogue import Catalogue
from models.tables.user_history import History
from models.text.top_k import Dense

ITEMS, USERS, DIM = 120, 30, 8


class World:
    """Two domains; users of a group like the items of that group, in both."""

    def __init__(self, text: bool = True, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.catalogues = [Catalogue(500, DIM), Catalogue(500, DIM)]
        self.domains = [Domain("movies"), Domain("books", role="target")]
        self.history = History(self.catalogues)
        self.ranker = Ranker(self.domains, self.catalogues, self.history)
        for catalogue in self.catalogues:
            for n in range(ITEMS):
                row, _ = catalogue.touch(f"i{n}")
                if text:
                    catalogue.set_vector(row, self.random.normal(size=DIM).astype(np.float32) + (n % 3))
        self.time = 1e9

    def event(self) -> tuple[int, int, int]:
        user = int(self.random.integers(USERS))
        return int(self.random.integers(2)), user, int(self.random.zipf(1.5) * 3 + user % 3) % ITEMS

    def step(self, domain: int, user: int, item: int) -> int | None:
        self.time += 3600.0
        scored = self.ranker.score(domain, user, item, f"i{item}", self.time, None)
        self.ranker.learn(scored, domain, user, item, self.time)
        self.ranker.observe(domain, user, item, self.time)
        self.history.add(user, domain, item, f"i{item}", self.time)
        return scored.rank

    def run(self, events: int) -> list[int | None]:
        return [self.step(*self.event()) for _ in range(events)]


def assert_same(one: Any, other: Any) -> None:
    """Nested states are equal bit for bit."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
    else:
        np.testing.assert_equal(one, other)


@pytest.mark.parametrize("text", [True, False])
def test_learns_what_a_group_likes(text: bool) -> None:
    """Later ranks are better than a random order, and than early ones, with and without text."""
    ranks = [r for r in World(text).run(1500) if r is not None]
    late = np.mean(ranks[-200:])
    assert late < 0.25 * ITEMS


def test_scoring_changes_nothing() -> None:
    world = World()
    world.run(200)
    before = world.ranker.state()
    for user in (None, 0, 10_000):
        for item in (None, 3):
            world.ranker.score(1, user, item, f"i{item}", world.time, None)
        world.ranker.recommend(1, [user], world.time, 5)
    assert_same(before, world.ranker.state())


def test_state_round_trips_and_goes_on_the_same() -> None:
    world, twin = World(), World()
    world.run(300)
    twin.run(300)
    saved = world.ranker.state()
    fresh = Ranker(twin.domains, twin.catalogues, twin.history)
    fresh.load(saved)
    twin.ranker = fresh
    assert world.run(200) == twin.run(200)
    assert_same(world.ranker.state(), twin.ranker.state())


def test_a_saved_state_is_a_copy() -> None:
    world = World()
    world.run(100)
    saved, again = world.ranker.state(), world.ranker.state()
    world.run(100)
    assert_same(saved, again)


def test_rank_agrees_with_the_list() -> None:
    """An item at place p of the list has rank p (all scores differ here)."""
    world = World()
    world.run(500)
    for user in range(10):
        ranked = world.ranker.recommend(1, [user], world.time, 10)[0]
        for place, row in enumerate(ranked.rows):
            scored = world.ranker.score(1, user, int(row), f"i{row}", world.time, None)
            assert scored.rank is not None
            assert scored.rank >= place
            if (ranked.scores == ranked.scores[place]).sum() == 1:
                assert scored.rank == place


def test_every_open_item_has_a_rank_within_the_open_items() -> None:
    world = World()
    world.run(300)
    seen = set(world.history.seen_rows(3, 1).tolist())
    ranks = [world.ranker.score(1, 3, n, f"i{n}", world.time, None).rank for n in range(ITEMS)]
    assert [n for n in range(ITEMS) if ranks[n] is None] == sorted(seen)
    assert max(r for r in ranks if r is not None) < ITEMS - len(seen)
    assert min(r for r in ranks if r is not None) == 0


def test_contributions_add_up_to_the_score() -> None:
    world = World()
    world.run(500)
    affinity = [Dense(scores) for scores in world.random.normal(size=(3, ITEMS)).astype(np.float32)]
    for ranked in world.ranker.recommend(1, [0, 1, None], world.time, 20, affinity):
        assert ranked.contributions.shape == (20, len(ranked.names))
        np.testing.assert_allclose(ranked.contributions.sum(1), ranked.scores, atol=1e-5)
        assert (np.diff(ranked.scores) <= 1e-6).all()


def test_lists_leave_out_seen_and_closed_items() -> None:
    world = World()
    world.run(500)
    world.catalogues[1].recommendable[5] = False
    ranked = world.ranker.recommend(1, [2], world.time, ITEMS)[0]
    assert not set(ranked.rows) & {5, *world.history.seen_rows(2, 1).tolist()}
    assert world.ranker.score(1, 2, 5, "i5", world.time, None).rank is None


def test_an_item_unknown_or_had_already_has_no_rank() -> None:
    world = World()
    world.step(1, 4, 9)
    assert world.ranker.score(1, 4, 9, "i9", world.time, None).rank is None
    assert world.ranker.score(1, 4, None, "new", world.time, None).rank is None
    assert world.ranker.score(1, None, 9, "i9", world.time, None).rank is not None


def test_a_helpful_affinity_gains_weight() -> None:
    """The network's score is followed once it has proved right."""
    world = World(text=False)
    ranks = []
    for _ in range(400):
        _, user, item = world.event()
        affinity = world.random.normal(size=ITEMS).astype(np.float32)
        affinity[item] += 5
        world.time += 60
        scored = world.ranker.score(1, user, item, f"i{item}", world.time, Dense(affinity))
        world.ranker.learn(scored, 1, user, item, world.time)
        world.ranker.observe(1, user, item, world.time)
        world.history.add(user, 1, item, f"i{item}", world.time)
        ranks.append(scored.rank)
    late = [r for r in ranks[-100:] if r is not None]
    assert np.mean(late) < 2


def test_a_dropped_item_starts_from_nothing() -> None:
    world = World()
    world.run(400)
    row = int(world.ranker.statistics.popularity[1].top("ever")[0])
    everything = np.ones(ITEMS, np.bool_)
    assert np.isfinite(scores_by(world.ranker, "popularity_ever", 1, 0, world.time, everything)[row])
    world.ranker.drop_item(1, row)
    world.history.item_reborn(1, row)
    for name in RANKS_ALONE[:-1]:  # all but the text, which no event taught
        scores = scores_by(world.ranker, name, 1, 0, world.time, everything)
        assert scores[row] == (-np.inf if name.startswith("popularity") else 0)
    world.run(50)


@pytest.mark.parametrize("name", RANKS_ALONE)
def test_single_arms_score_every_item(name: str) -> None:
    world = World()
    world.run(200)
    for user in (None, 1):
        open_ = np.ones(ITEMS, np.bool_)
        open_[world.history.seen_rows(user, 1)] = False
        alone = scores_by(world.ranker, name, 1, user, world.time, open_)
        assert alone.shape == (ITEMS,)
        assert not np.isnan(alone).any()
        text = world.ranker.text(1, [user])[0]
        world.ranker.candidates(1, user, world.time, text, None)
        beside = scores_by(world.ranker, name, 1, user, world.time, open_)
        assert (alone[open_] == beside[open_]).all()
        top = top_by(world.ranker, name, 1, alone, open_, 10)
        assert len(top) == 10
        assert open_[top].all()
        assert alone[top].min() == np.sort(alone[open_])[-10]


def test_an_empty_domain_and_a_single_item() -> None:
    catalogues = [Catalogue(10, DIM)]
    ranker = Ranker([Domain("a", role="target")], catalogues, History(catalogues))
    assert ranker.score(0, None, None, "x", 0.0, None).rank is None
    assert len(ranker.recommend(0, [None], 0.0, 5)[0].rows) == 0
    row, _ = catalogues[0].touch("x")
    assert ranker.score(0, None, row, "x", 0.0, None).rank == 0
    assert ranker.recommend(0, [None], 0.0, 5)[0].rows.tolist() == [0]
