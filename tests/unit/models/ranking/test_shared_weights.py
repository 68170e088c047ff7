"""The ranker's weights of several learners: the moves of all are added up."""

from __future__ import annotations

import numpy as np

from models.arms.arm_comparison import ArmComparison
from models.ranking.shared_weights import SharedWeights
from models.settings import LearningSettings
from tests.laws.test_batches import DOMAINS, describe, event


def made() -> tuple[ArmComparison, SharedWeights]:
    arms = ArmComparison(DOMAINS, LearningSettings(users=200, items_per_domain=200))
    describe(arms)
    return arms, SharedWeights(arms.full.ranker, [d.name for d in DOMAINS])


def weights(arms: ArmComparison) -> np.ndarray:
    ranker = arms.full.ranker
    return np.stack([c.weights for c in (*ranker.choices, *ranker.target_only.values())])


def learn(arms: ArmComparison, start: int) -> None:
    arms.learn([event(n) for n in range(start, start + 16)])


def test_moves_of_all_are_added_up() -> None:
    (one, ours), (two, theirs) = made(), made()
    first = weights(one)
    for start in range(0, 320, 32):
        learn(one, start)
        learn(two, start + 16)
        own = weights(one) - first, weights(two) - first
        assert np.abs(own[0]).max() > 0
        there, here = ours.moved(), theirs.moved()
        theirs.move(there)
        ours.move(here)
        np.testing.assert_allclose(weights(one), weights(two), atol=2e-4)
    assert np.abs(weights(one) - first).max() > 0.05


def test_what_rounding_leaves_over_goes_with_the_next_moves() -> None:
    (one, ours), (two, theirs) = made(), made()
    for start in range(0, 320, 16):
        learn(one, start)
        theirs.move(ours.moved())
    for _ in range(4):
        theirs.move(ours.moved())
    np.testing.assert_allclose(weights(one), weights(two), atol=1e-7)


def test_events_that_were_shared_before_move_nothing() -> None:
    one, ours = made()
    learn(one, 0)
    ours.moved()
    before = weights(one)
    with ours.kept():
        learn(one, 16)
        assert (weights(one) != before).any()
    assert (weights(one) == before).all()
    assert all(abs(moved).max() < 1e-4 for moved in ours.moved().values()), "but for what rounding left over"


def test_a_state_remembers_what_was_told() -> None:
    one, ours = made()
    learn(one, 0)
    ours.moved()
    learn(one, 16)
    again, theirs = made()
    again.load(one.state())
    theirs.load(ours.state())
    expected, found = ours.moved(), theirs.moved()
    assert any(moved.any() for moved in expected.values())
    for name, moved in expected.items():
        np.testing.assert_array_equal(found[name], moved)
    unknown, fresh = made()
    unknown.load(one.state())
    fresh.load({})
    assert not any(moved.any() for moved in fresh.moved().values())


def test_moves_of_another_shape_or_domain_are_left_out() -> None:
    one, ours = made()
    before = weights(one)
    wrong = np.ones((2, 3), np.float16)
    ours.move({"books": wrong, "films": wrong, "movies": np.full_like(before[0], np.nan, np.float16)})
    assert (weights(one) == before).all()
