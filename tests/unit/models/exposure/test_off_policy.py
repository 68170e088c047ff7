"""The value of other lists from logged ones: the interval holds the truth, and what cannot be told is refused."""

from __future__ import annotations

import numpy as np
import pytest

from models.exposure.examination import as_pairs, fitted, influence, prior_curve, score
from models.exposure.logged_lists import LoggedLists, slope
from models.exposure.off_policy import (
    Lists,
    as_logged,
    doubly_robust,
    effective_lists,
    exposure_weighted,
    falls_below_a_click,
    interval,
    refusal,
    self_normalised,
)
from tests.support.found_values import CURVES, Found, found_in_log
from tests.support.logged_world import WorldSettings

WIDE = WorldSettings(lists=2_000, users=150, items=80, candidates=30, temperature=0.5, draws=25)


def lists_of(clicks: list[float], ratio: list[float]) -> Lists:
    """Return lists of one place that is always examined, without a model."""
    n = len(clicks)
    c, w, none = np.array(clicks)[:, None], np.array(ratio)[:, None], np.zeros((n, 1))
    return Lists(c, np.ones((n, 1)), w, none, none[:, 0])


def test_estimates_by_hand() -> None:
    """Ratios 2, 0, 1, 1 and clicks on the first and third: (2 + 1) / (2 + 0 + 1 + 1) of an exposure of 1."""
    lists = lists_of([1.0, 0.0, 1.0, 0.0], [2.0, 0.0, 1.0, 1.0])
    assert self_normalised(lists).value == pytest.approx(0.75)
    assert exposure_weighted(lists).value == pytest.approx(0.75)
    assert as_logged(lists).value == pytest.approx(0.5)
    assert effective_lists(lists) == pytest.approx(16 / 6)
    model = lists._replace(appeal=0.5 * np.ones((4, 1)), value=np.full(4, 0.6))
    # 0.6 + mean of 2 · (1 - 0.5), 0, 1 · (1 - 0.5), 1 · (0 - 0.5)
    assert doubly_robust(model).value == pytest.approx(0.6 + 0.25)


def test_moves_are_what_a_value_changes_by_without_a_list() -> None:
    """Leaving out one of 400 lists moves each estimate by its move / n, to first order."""
    rng, n = np.random.default_rng(0), 400
    shape = (n, 3)
    lists = Lists(
        (rng.random(shape) < 0.3).astype(float), rng.random(shape), rng.gamma(2.0, 0.5, shape),
        0.3 * rng.random(shape), rng.random(n),
    )  # fmt: skip
    without = Lists(*(part[1:] for part in lists))
    for estimator in (as_logged, exposure_weighted, self_normalised, doubly_robust):
        found = estimator(lists)
        assert found.value - estimator(without).value == pytest.approx(found.moves[0] / n, rel=0.05, abs=1e-5)


def test_an_interval_by_hand() -> None:
    """Two users with two lists each, moves 1, 1 and -1, -1: (±2 / 4)², summed, times 2 / 1, is a variance of 1."""
    estimate = as_logged(lists_of([3.0, 3.0, 1.0, 1.0], [1.0] * 4))
    found = interval(estimate, np.array([5, 5, 2, 2]))
    assert found == pytest.approx((2.0, 2.0 - 1.96, 2.0 + 1.96))
    noise = np.zeros(7)
    noise[5], noise[2] = 0.5, -0.5
    assert interval(estimate, np.array([5, 5, 2, 2]), noise).high == pytest.approx(2.0 + 2 * 1.96)


def test_users_are_the_units() -> None:
    """A thousand lists of ten users tell less than of a thousand users."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(10), 100)
    clicks = (rng.random(1_000) < np.repeat(rng.random(10), 100)).astype(float).tolist()
    estimate = self_normalised(lists_of(clicks, [1.0] * 1_000))
    few, many = interval(estimate, users), interval(estimate, np.arange(1_000))
    assert few.high - few.low > 3 * (many.high - many.low)


def test_ratios_of_exposures_by_hand() -> None:
    """Examination 1 and ½; the item is logged ¼ and ¾, by the target ¾ and ¼: (¾ + ⅛) / (¼ + ⅜) = 1.4."""
    ones, none = np.ones((1, 2)), np.zeros((1, 2))
    logged = LoggedLists(
        ones, np.array([[True, False]]), np.array([[0, 1]]),
        np.array([[[0.25, 0.75], [0, 0]]], np.float32), np.array([[[0.75, 0.25], [0, 0]]], np.float32),
        none, np.array([[0.2, 0.4]]),
    )  # fmt: skip
    whole = logged._replace(shown=ones > 0).lists(np.array([1.0, 0.5]))
    assert whole.ratio[0, 0] == pytest.approx(1.4)
    assert whole.value[0] == pytest.approx(0.2 + 0.5 * 0.4)
    # Where the second place is empty, it is no exposure either.
    assert logged.lists(np.array([1.0, 0.5])).ratio.tolist() == [[pytest.approx(3.0), 0.0]]


def test_an_error_of_the_curve_counts_by_its_slope() -> None:
    """d (θ₂ + 2 θ₃) / d log θ is θ₂ and 2 θ₃."""
    found = slope(lambda curve: np.array([curve[1] + 2 * curve[2]]), np.array([1.0, 0.6, 0.3]))
    assert found[:, 0] == pytest.approx([0.0, 0.6, 0.6], abs=1e-5)


def test_influence_is_how_a_fit_moves_by_a_user() -> None:
    """Leaving out one of 200 users moves the logarithm of the curve by their influence, to first order."""
    rng, prior = np.random.default_rng(0), as_pairs(prior_curve()[:4], 5.0)
    by_user = rng.poisson(as_pairs(prior_curve()[:4], 0.5), (200, 4, 4)).astype(float)
    pairs = by_user.sum(0) + prior
    curve = fitted(pairs)
    found = influence(np.stack([score(one, curve) for one in by_user]), pairs, curve)
    moved = np.log(curve) - np.log(fitted(pairs - by_user[0]))
    assert np.abs(moved).max() > 1e-3
    assert found[0] == pytest.approx(moved, rel=0.1, abs=1e-4)


def held(found: list[Found], name: str) -> int:
    """Return how many intervals hold the truth."""
    truths = [one.difference if name == "difference" else one.truth for one in found]
    pairs = zip((one.figures[name] for one in found), truths, strict=True)
    return sum(figure["low"] <= truth <= figure["high"] for figure, truth in pairs)


def test_intervals_hold_the_truth() -> None:
    """Of 40 logs at least 34, which chance alone falls short of once in 300, with the true curve and the learned one.

    None is refused.
    """
    logs = [found_in_log(seed, WIDE) for seed in range(40)]
    for curve in CURVES:
        found = [log[curve] for log in logs]
        for name in ("self_normalised", "doubly_robust", "difference"):
            assert held(found, name) >= 34, name
        assert {one.figures["refused"] for one in found} == {""}
        widths = [one.figures["doubly_robust"]["high"] - one.figures["doubly_robust"]["low"] for one in found]
        assert np.mean(widths) < 0.5 * np.mean([one.truth for one in found])


def test_what_the_log_hardly_shows_is_refused() -> None:
    """At the temperature that is best for clicks, a rather different ranker cannot be judged."""
    for seed in range(3):
        for found in found_in_log(seed, WIDE._replace(temperature=0.1)).values():
            assert "log at a higher temperature" in found.figures["refused"]


def test_reasons_of_a_refusal() -> None:
    assert refusal(200.0, 0.05, 200) == ""
    assert refusal(199.0, 0.0, 1_000).startswith(
        "the logged lists are worth 199 of the target's, under 200: log at"
    )
    assert "25 % of what the target shows was hardly ever logged (at most 5 %)" in refusal(
        1_000.0, 0.25, 1_000
    )
    assert "under 200 and 25 %" in refusal(10.0, 0.25, 1_000)
    assert refusal(140.0, 0.25, 150) == "150 logged lists, under 200: log more impressions"


def test_users_who_stop_after_a_click_are_seen() -> None:
    """Independent places give about 1; a cascade gives 0; where no place was shown counts nowhere."""
    rng = np.random.default_rng(0)
    free = (rng.random((4_000, 5)) < 0.2).astype(float)
    stopped, shown = free * (np.cumsum(free, 1) - free == 0), np.ones(free.shape, np.bool_)
    assert falls_below_a_click(free, shown).ratio == pytest.approx(1.0, abs=0.1)
    assert not falls_below_a_click(free, shown).doubtful
    assert falls_below_a_click(stopped, shown).ratio == 0.0
    assert falls_below_a_click(stopped, shown).doubtful
    shown[2_000:, 2:] = False
    assert falls_below_a_click(free * shown, shown).ratio == pytest.approx(1.0, abs=0.1)
    assert np.isnan(falls_below_a_click(free[:, :1], shown[:, :1]).ratio)
