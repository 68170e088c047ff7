"""Items are told apart by the experience of their users."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.signals.user_experience import UserExperience
from tests.support.learners.ranking_world import World
from tests.support.plain.user_experience import PlainExperience


def of_user(world: World, events: int) -> dict[int, float]:
    """Return the signal of every item for a user with this many events in the domain."""
    for n in range(events):
        world.history.add(7, 1, 19, float(n))
    found = world.column("stage", 7)
    world.history.drop_user(7)
    return found


def test_an_item_fits_users_at_the_stage_of_its_earlier_ones() -> None:
    world = World(text=False, items=20)
    world.ranker.statistics.experience[1].fold(np.array([0, 1] * 200), np.array([1, 200] * 200))
    beginner, expert = of_user(world, 1), of_user(world, 200)
    assert beginner[0] > beginner[1]
    assert expert[1] > expert[0]


def test_one_user_by_hand() -> None:
    """x = log 2, the domain's only one: mean (x + 3x) / 4 = x, squares 0, variance 3 · 0.1 / 4."""
    world = World(text=False, items=20)
    world.ranker.statistics.experience[1].fold(np.array([0]), np.array([1]))
    x, variance = np.log(2), 0.3 / 4
    assert of_user(world, 1)[0] == pytest.approx(-0.5 * np.log(variance), rel=1e-5)
    assert of_user(world, 0)[0] == pytest.approx(-0.5 * (x * x / variance + np.log(variance)), rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 300)), min_size=1, max_size=40), st.integers(1, 7)
)
def test_moments_are_those_of_the_plain_rule(stream: list[tuple[int, int]], batch: int) -> None:
    """Moments equal the plain rule, in batches of any size."""
    experience, plain = UserExperience(), PlainExperience(5)
    rows, events = np.array(stream, np.int64).T
    for at in range(0, len(rows), batch):
        experience.fold(rows[at : at + batch], events[at : at + batch])
    for row, count in stream:
        plain.add(row, count)
    held = min(5, len(experience.moments))
    np.testing.assert_allclose(experience.moments[:held], plain.moments[:held], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(experience.total, plain.total, rtol=1e-9, atol=1e-12)


def test_unknown_and_dropped_items_are_the_domain_average() -> None:
    """Without events of its own an item has the domain's mean and variance, as a row never seen has."""
    world = World(text=False, items=20)
    experience = world.ranker.statistics.experience[1]
    experience.fold(np.array([0, 0, 0]), np.array([1, 5, 50]))
    before = of_user(world, 7)
    assert before[0] != before[9]
    experience.drop(0)
    fit = of_user(world, 7)
    assert fit[0] == fit[9]
    other = UserExperience()
    other.load(experience.state())
    np.testing.assert_array_equal(other.moments, experience.moments)
    np.testing.assert_array_equal(other.total, experience.total)


def test_before_any_event_all_items_are_alike() -> None:
    assert len(set(World(text=False, items=20).column("stage", None).values())) == 1
