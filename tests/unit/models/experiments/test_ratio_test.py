"""The test of two arms: rarely wrong however often it is looked at, and prompt where there is a lift."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, inf, log, sqrt
from typing import NamedTuple

import numpy as np
import pytest

from models.experiments.ratio_test import half_width, log_evidence, smallest_lift, times_more
from tests.support.unit_totals import UnitTotals, compare

SEEDS, USERS = 200, 1_000
LOOK = 2_000
"""Impressions between two looks."""


class World(NamedTuple):
    """Users who differ in activity, and in clicks an impression.

    clicks: mean an impression. habits: coefficient of variation of the users' rates. before: impressions before.
    """

    clicks: float
    habits: float
    before: int


def arms_by_user(
    seed: int, world: World, looks: int = 25, lift: float = 0.0
) -> Iterator[tuple[UnitTotals, UnitTotals]]:
    """Yield the totals of both arms at each look."""
    clicks, habits, before = world
    rng = np.random.default_rng(seed)
    activity = rng.gamma(1.0, 1.0, USERS)
    activity /= activity.sum()
    rate = clicks * rng.gamma(1 / habits**2, habits**2, USERS)
    past = rng.multinomial(before, activity)
    past_clicks = rng.poisson(rate * past)
    arm = rng.integers(0, 2, USERS)
    x, y = np.zeros(USERS), np.zeros(USERS)
    for _ in range(looks):
        more = rng.multinomial(LOOK, activity)
        x, y = x + more, y + rng.poisson(rate * (1 + lift * arm) * more)
        a, b = (
            UnitTotals(*(sums[(arm == one) & (x > 0)].astype(float) for sums in (x, y, past, past_clicks)))
            for one in (0, 1)
        )
        yield a, b


def arms_by_list(seed: int, clicks: float, lift: float) -> Iterator[tuple[UnitTotals, UnitTotals]]:
    """Yield the totals of both arms, where each list is a unit, 50 times in 100,000 impressions."""
    rng = np.random.default_rng(seed)
    users, arm = rng.integers(0, USERS, 100_000), rng.integers(0, 2, 100_000)
    y = rng.poisson((clicks * rng.gamma(4.0, 0.25, USERS))[users] * (1 + lift * arm)).astype(float)
    for upto in range(LOOK, 100_001, LOOK):
        a, b = (y[:upto][arm[:upto] == one] for one in (0, 1))
        none_a, none_b = np.zeros(len(a)), np.zeros(len(b))
        yield UnitTotals(none_a + 1, a, none_a, none_a), UnitTotals(none_b + 1, b, none_b, none_b)


def naive_verdict(a: UnitTotals, b: UnitTotals) -> bool:
    """Return whether the same interval excludes no lift if each impression counts as independent."""
    if min(a.ratio, b.ratio) <= 0:
        return False
    return abs(log(b.ratio / a.ratio)) > half_width(1 / a.clicks.sum() + 1 / b.clicks.sum())


def units(shown: list[float], clicks: list[float]) -> UnitTotals:
    none = np.zeros(len(shown))
    return UnitTotals(np.array(shown), np.array(clicks), none, none)


def test_by_hand() -> None:
    """60 units an arm with 10 impressions each. In a, clicks are 1 and 3 in turn: r = 0.2; in b all are 4: r = 0.4.

    e = ±1 / (10 · 0.2) = ±0.5 in a, so its variance is 0.25 · 60 / 59 / 60; b adds nothing.
    """
    found = compare(units([10.0] * 60, [1.0, 3.0] * 30), units([10.0] * 60, [4.0] * 60))
    assert found.lift == pytest.approx(1.0)
    assert found.variance == pytest.approx(0.25 / 59)
    assert (found.low, found.high) == pytest.approx(
        (exp(log(2) - half_width(0.25 / 59)) - 1, exp(log(2) + half_width(0.25 / 59)) - 1)
    )
    assert found.winner == "b"


def test_too_few_units_or_no_clicks_decide_nothing() -> None:
    few = compare(units([10.0] * 49, [1.0] * 49), units([10.0] * 60, [9.0] * 60))
    none = compare(units([10.0] * 60, [0.0] * 60), units([10.0] * 60, [9.0] * 60))
    for found in (few, none):
        assert (found.winner, found.low, found.high) == ("open", -1.0, inf)


def test_the_width_is_where_the_evidence_is_enough() -> None:
    for variance in (1e-6, 1e-4, 1e-2):
        width = half_width(variance)
        assert log_evidence(width**2, 1 / variance)[0] == pytest.approx(log(20), abs=1e-6)
        assert width / sqrt(variance) > 2
    assert half_width(inf) == half_width(0.0) == inf


def test_the_past_explains_what_users_differ_in() -> None:
    """With it the variance is a fraction, and the estimate the same but for chance."""
    *_, (a, b) = arms_by_user(0, World(1.0, 1.0, 50_000))
    known = compare(a, b)
    unknown = compare(
        *(arm._replace(before_shown=0 * arm.shown, before_clicks=0 * arm.shown) for arm in (a, b))
    )
    assert known.variance < 0.25 * unknown.variance
    assert known.floor < unknown.floor


@pytest.mark.parametrize("world", [World(0.1, 1.0, 0), World(1.0, 1.0, 50_000)])
def test_no_lift_is_seldom_taken_for_one(world: World) -> None:
    """A/A: of 200 experiments at most 10 get a verdict, at 25 looks each. Taken as independent, over 40 do."""
    wrong = naive = 0
    for seed in range(SEEDS):
        looks = list(arms_by_user(seed, world))
        wrong += any(compare(a, b).winner != "open" for a, b in looks)
        naive += any(naive_verdict(a, b) for a, b in looks)
    assert wrong <= 10
    assert naive > 40


@pytest.mark.parametrize(("clicks", "lift"), [(1.0, 0.03), (0.3, 0.05), (0.1, 0.1)])
def test_a_lift_is_found_by_list(clicks: float, lift: float) -> None:
    """Within 100,000 impressions, by the first verdict, in at least 16 of 20 experiments."""
    assert sum(_first(arms_by_list(seed, clicks, lift)) == "b" for seed in range(20)) >= 16


def test_a_lift_is_found_by_user_with_a_past() -> None:
    """5 % at one click an impression, users of unequal habits, 50,000 impressions before."""
    streams = (arms_by_user(seed, World(1.0, 0.5, 50_000), 50, 0.05) for seed in range(20))
    assert sum(_first(stream) == "b" for stream in streams) >= 16


def _first(looks: Iterator[tuple[UnitTotals, UnitTotals]]) -> str:
    """Return the first winner that is not open."""
    return next((found for a, b in looks if (found := compare(a, b).winner) != "open"), "open")


def test_what_could_be_found_and_how_many_impressions_more() -> None:
    """By list, variance falls with impressions: ten times as many find a lift of about a third of the size."""
    *_, (a, b) = arms_by_list(0, 0.3, 0.0)
    found = compare(a, b)
    now = smallest_lift(found)
    assert times_more(found, now) == pytest.approx(1.0, rel=1e-3)
    assert 2 < now / smallest_lift(found._replace(variance=found.variance / 10)) < 4
    assert 1 < times_more(found, now / 2) < 10
    assert times_more(found._replace(floor=found.variance * 0.999), 0.001) == inf
