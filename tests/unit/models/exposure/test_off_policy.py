"""The value of other lists from logged ones: the interval holds the truth, and what cannot be told is refused."""

from __future__ import annotations

import numpy as np
import pytest

from models.exposure.off_policy import (
    Lists,
    Value,
    add_exposures,
    doubly_robust,
    effective_lists,
    falls_below_a_click,
    rare_share,
    self_normalised,
)
from models.exposure.plackett_luce import Pool
from tests.support.shown_lists import CURVE, Policy, judged_log

ONE = np.ones((4, 1))


def lists_of(clicks: list[float], ratio: list[float], users: list[int] | None = None) -> Lists:
    """Return lists of one place that is always examined, without a model."""
    n = len(clicks)
    c, w, none = np.array(clicks)[:, None], np.array(ratio)[:, None], np.zeros((n, 1))
    return Lists(c, np.ones((n, 1)), w, none, none[:, 0], np.arange(n) if users is None else np.array(users))


def test_exposures_of_two_items_by_hand() -> None:
    """Weights 3 and 1, θ = 1 and ½: item 0 is first with ¾, so ¾ + ¼ · ½ = 0.875, and item 1 0.625."""
    pool, out = Pool(np.array([3.0, 1.0]), np.zeros(2, np.bool_)), np.zeros(2)
    add_exposures(pool, 0.0, np.array([1.0, 0.5]), np.random.default_rng(0).random((4_000, 2, 2)), out)
    assert out == pytest.approx([0.875, 0.625], abs=0.01)


def test_estimates_by_hand() -> None:
    """Ratios 2, 0, 1, 1 and clicks on the first and third: (2 + 1) / (2 + 0 + 1 + 1) of a mass of 1."""
    lists = lists_of([1.0, 0.0, 1.0, 0.0], [2.0, 0.0, 1.0, 1.0])
    assert self_normalised(lists, 1.0).estimate == pytest.approx(0.75)
    assert effective_lists(lists) == pytest.approx(16 / 6)
    model = lists._replace(appeal=0.5 * ONE, value=np.full(4, 0.6))
    # 0.6 + mean of 2 · (1 - 0.5), 0, 1 · (1 - 0.5), 1 · (0 - 0.5)
    assert doubly_robust(model).estimate == pytest.approx(0.6 + 0.25)


def test_users_are_the_units() -> None:
    """A thousand lists of ten users tell less than of a thousand users."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(10), 100)
    clicks = (rng.random(1_000) < np.repeat(rng.random(10), 100)).astype(float).tolist()
    few = self_normalised(lists_of(clicks, [1.0] * 1_000, users.tolist()), 1.0)
    many = self_normalised(lists_of(clicks, [1.0] * 1_000), 1.0)
    assert few.estimate == many.estimate
    assert few.high - few.low > 3 * (many.high - many.low)


def cover(log: Policy, target: Policy, seeds: int) -> tuple[int, int, list[Value]]:
    """Return how often both intervals hold the truth, and the values."""
    hits, values = np.zeros(2, int), []
    for seed in range(seeds):
        found = judged_log(np.random.default_rng(seed), log, target, 1_500)
        both = (
            self_normalised(found.lists, float(CURVE.sum()), found.rare),
            doubly_robust(found.lists, found.rare),
        )
        hits += [value.low <= found.truth <= value.high for value in both]
        values += both
    return int(hits[0]), int(hits[1]), values


def test_intervals_hold_the_truth() -> None:
    """Of 40 logs at a wide temperature at least 35, both normalised and with a crude model; none is refused."""
    normalised, robust, values = cover(Policy(0.5, 0.0), Policy(0.3, 0.5), 40)
    assert min(normalised, robust) >= 35
    assert {value.refused for value in values} == {""}
    assert all(value.high - value.low < 0.5 * value.estimate for value in values)


def test_what_the_log_hardly_shows_is_refused() -> None:
    """At the temperature that is best for clicks, a rather different ranker cannot be judged."""
    *_, values = cover(Policy(0.1, 0.0), Policy(0.1, 1.0), 2)
    assert all("log at a higher temperature" in value.refused for value in values)


def test_rare_exposure_is_a_share_of_the_target() -> None:
    target, logged = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.5, 0.0], [0.2, 0.8]])
    assert rare_share(target, logged) == pytest.approx(0.25)
    assert "25 %" in self_normalised(lists_of([1.0] * 300, [1.0] * 300), 1.0, 0.25).refused


def test_users_who_stop_after_a_click_are_seen() -> None:
    """Independent places give about 1; a cascade gives 0."""
    rng = np.random.default_rng(0)
    free = (rng.random((4_000, 5)) < 0.2).astype(float)
    stopped = free * (np.cumsum(free, 1) - free == 0)
    assert falls_below_a_click(free) == pytest.approx(1.0, abs=0.1)
    assert falls_below_a_click(stopped) == 0.0
