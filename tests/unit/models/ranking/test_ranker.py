"""The ranker keeps its laws on a synthetic stream."""

from __future__ import annotations

import numpy as np
import pytest

from models.ranking.proposal import FULL, POPULARITY_ARM, TARGET_ONLY_ARM, TEXT_ARM, write_top
from models.ranking.ranker import Ranker
from models.schema import Domain
from models.signals.registry import COLUMNS
from models.state.tracked_tables import full_state
from models.tables.catalogue import Catalogue
from tests.support.learners.ranking_world import World
from tests.support.learners.states import differences

ITEMS = 120


@pytest.mark.parametrize("text", [True, False])
def test_learns_what_a_group_likes(text: bool) -> None:
    """Later ranks are better than a random order and than early ranks, with and without text."""
    ranks = [r for r in World(text).run(1500) if r >= 0]
    assert np.mean(ranks[-200:]) < 0.25 * ITEMS


def test_scoring_changes_nothing() -> None:
    world = World()
    world.run(200)
    before = world.ranker.state()
    for user in (None, 0, 10_000):
        for item in (-1, 3):
            world.rank(user, item)
        world.recommend([user], 5)
    assert differences(before, world.ranker.state()) == []


def test_state_round_trips_and_goes_on_the_same() -> None:
    world, twin = World(), World()
    world.run(300)
    twin.run(300)
    fresh = Ranker(twin.domains, twin.catalogues)
    fresh.load(world.ranker.state())
    twin.ranker = fresh
    assert world.run(200) == twin.run(200)
    assert differences(world.ranker.state(), twin.ranker.state()) == []


def test_a_saved_state_is_a_copy() -> None:
    world = World()
    world.run(100)
    saved, again = world.ranker.state(), world.ranker.state()
    world.run(100)
    assert differences(saved, again) == []
    assert differences(saved, full_state(world.ranker.live())) != []


def test_rank_agrees_with_the_list() -> None:
    """An item at place p of the list has rank p (all scores differ here)."""
    world = World()
    world.run(500)
    for user in range(10):
        ranked = world.recommend([user], 10)[0]
        for place, row in enumerate(ranked.rows.tolist()):
            rank = world.rank(user, row)
            assert rank is not None
            assert rank >= place
            if (ranked.scores == ranked.scores[place]).sum() == 1:
                assert rank == place


def test_every_open_item_has_a_rank_within_the_open_items() -> None:
    world = World()
    world.run(300)
    seen = set(world.history.seen_rows(3, 1).tolist())
    ranks = [world.rank(3, n) for n in range(ITEMS)]
    assert [n for n in range(ITEMS) if ranks[n] is None] == sorted(seen)
    assert max(r for r in ranks if r is not None) <= ITEMS - len(seen)
    assert min(r for r in ranks if r is not None) == 0


def test_an_item_that_is_no_candidate_ranks_after_all_of_them() -> None:
    world = World(text=False, items=400)
    world.run(300)
    rows, _ = world.proposed(3)
    others = set(range(400)) - set(rows.tolist()) - set(world.history.seen_rows(3, 1).tolist())
    assert others
    assert {world.rank(3, row) for row in others} == {len(rows)}


def test_contributions_add_up_to_the_score() -> None:
    world = World(network=True)
    world.run(500)
    for ranked in world.recommend([0, 1, None], 20):
        assert ranked.contributions.shape == (20, len(ranked.names))
        np.testing.assert_allclose(ranked.contributions.sum(1), ranked.scores, atol=1e-5)
        assert (np.diff(ranked.scores) <= 0).all()


def test_lists_leave_out_seen_and_closed_items() -> None:
    world = World()
    world.run(500)
    world.catalogues[1].recommendable[5] = False
    ranked = world.recommend([2], ITEMS)[0]
    assert not set(ranked.rows) & {5, *world.history.seen_rows(2, 1).tolist()}
    assert world.rank(2, 5) is None


def test_lists_do_not_depend_on_who_else_is_asked_for() -> None:
    """Lists are the same alone and among many users, some of them twice."""
    world = World(network=True)
    world.run(300)
    users = [n % 31 if n % 31 < 30 else None for n in range(150)]
    for user, found in zip(users, world.recommend(users, 10), strict=True):
        alone = world.recommend([user], 10)[0]
        assert found.rows.tolist() == alone.rows.tolist()
        assert found.scores.tolist() == alone.scores.tolist()


def test_an_item_unknown_or_had_already_has_no_rank() -> None:
    world = World()
    world.learn([(1, 4, 9)])
    assert world.rank(4, 9) is None
    assert world.rank(4, -1) is None
    assert world.rank(None, 9) is not None


def test_a_helpful_affinity_gains_weight() -> None:
    """The ranker learns to follow the network's score if every user's vector points at their next item."""
    world = World(text=False, network=True)
    directions = world.network[1] / np.linalg.norm(world.network[1], axis=1, keepdims=True)
    ranks = []
    for _ in range(400):
        _, user, item = world.event()
        world.vectors[user], world.network[1] = directions[item], directions.copy()
        world.network[1][item] *= 5
        ranks += world.learn([(1, user, item)], 60.0)
    late = [r for r in ranks[-150:] if r >= 0]
    assert np.mean(late) < 2 < ranks[0]


def test_a_dropped_item_starts_from_nothing() -> None:
    world = World()
    world.run(400)
    row = int(world.ranker.statistics.popularity[1].top("ever")[0])
    user = next(u for u in range(30) if row not in world.history.seen_rows(u, 1))
    assert world.column("popularity_ever", user)[row] > 0
    world.ranker.drop_item(1, row)
    world.history.drop_item(1, row)
    names = [column.name for column in COLUMNS if column.log]
    assert {name: world.column(name, user, include=row)[row] for name in names} == dict.fromkeys(names, 0.0)
    world.run(50)


ALONE = ("popularity_1d", "popularity_3d", "popularity_ever", "sequence", "co_visitation", "text")


@pytest.mark.parametrize("name", ALONE)
def test_one_signal_may_rank_alone(name: str) -> None:
    """A list by one signal is sorted by its column, and nothing else contributes."""
    world = World()
    world.run(200)
    for user in (None, 1):
        column = world.column(name, user)
        ranked = world.recommend([user], 10, only=name)[0]
        np.testing.assert_allclose(ranked.scores, sorted(column.values(), reverse=True)[:10], rtol=1e-6)
        np.testing.assert_allclose(ranked.scores, [column[row] for row in ranked.rows.tolist()], rtol=1e-6)
        others = np.delete(ranked.contributions, ranked.names.index(name), 1)
        assert not others.any()


@pytest.mark.parametrize(("arm", "name"), [(TEXT_ARM, "text"), (POPULARITY_ARM, "popularity_3d")])
def test_arms_of_one_signal_rank_by_its_column(arm: int, name: str) -> None:
    world = World()
    world.run(300)
    column = world.column(name, 3)
    for item in list(column)[::9]:
        judged = world.judged(world.asked([3], 1, item))
        above = sum(value >= column[item] for value in column.values()) - 1
        assert judged.ranks.rank[0, arm] == above


def test_the_target_only_arm_is_there_for_targets_alone() -> None:
    """A source has no target-only ranker; in the target's, sources' items and the network do not count."""
    world = World(network=True)
    world.run(600)
    for domain, there in ((0, False), (1, True)):
        row = int(world.proposed(3, domain)[0][0])
        ranks = world.judged(world.asked([3], domain, row), domain).ranks
        assert ranks.rank[0, FULL] >= 0
        assert (ranks.rank[0, TARGET_ONLY_ARM] >= 0) == there
    for ranked in world.ranker.recommend(1, world.asked([3, 4]), world.space(1), 10, target_only=True):
        for name in ("affinity", "co_visitation_sources"):
            assert np.abs(ranked.contributions[:, ranked.names.index(name)]).max() < 1e-5
    own = Ranker([Domain("movies"), Domain("books", role="target")], world.catalogues, compare=False)
    assert own.target_only == {}


def test_a_choice_is_learned_by_both_arms_and_by_nobody_when_asked_not_to() -> None:
    world = World()
    world.run(100)
    before = world.ranker.state()
    row = int(world.proposed(3)[0][0])
    asked = world.asked([3], 1, row)
    world.judged(asked)
    assert differences(before, world.ranker.state()) == []
    world.judged(asked, learn=True)
    changed = differences(before, world.ranker.state())
    assert {".".join(path.split(".")[:3]) for path in changed} == {".choices.1", ".alone.1"}


def test_the_top_is_the_head_of_a_stable_sort() -> None:
    random = np.random.default_rng(0)
    for count in (0, 1, 9, 10, 11, 80):
        scores = random.integers(0, 6, count).astype(np.float32)
        out = np.empty(10, np.int32)
        write_top(np.arange(count, dtype=np.int32), scores, count, out)
        wanted = np.argsort(-scores, kind="stable")[:10].tolist()
        assert out.tolist() == wanted + [-1] * (10 - len(wanted))


def test_an_empty_domain_and_a_single_item() -> None:
    world = World(items=0)
    world.ranker = Ranker([Domain("a", role="target"), Domain("b")], [Catalogue(10, 8), Catalogue(10, 8)])
    world.catalogues = world.ranker.catalogues
    world.history.catalogues = world.catalogues
    assert world.rank(None, -1, domain=0) is None
    assert len(world.recommend([None], 5, domain=0)[0].rows) == 0
    row, _ = world.catalogues[0].touch("x")
    assert world.rank(None, row, domain=0) == 0
    assert world.recommend([None], 5, domain=0)[0].rows.tolist() == [0]
