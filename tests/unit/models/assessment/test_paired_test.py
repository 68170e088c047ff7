"""The paired test is rarely wrong, although it is read after every pair, and quick if there is a difference."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.assessment.paired_test import PairedTest


def test_margin_by_hand() -> None:
    """100 pairs of losses 1 and 0, or 0 and 1: differences ±1 with mean 0, α = 0.05, tuned for 100.

    -2 ln 0.05 = 5.9915; ρ² = (5.9915 + ln 5.9915 + 1) / 100 = 0.087818; t ρ² + 1 = 9.7818;
    variance 100/99; half width² = 100/99 · 2 · 9.7818 / (100² · 0.087818) · ln(√9.7818 / 0.05)
    = 1.0101 · 0.022278 · 4.13594 = 0.093071, 0.30507. Losses have a root mean square of √½, and
    √½ · ln(2 / 0.05) / 100 = 0.02608; together 0.33115.
    """
    test = PairedTest(alpha=0.05, tuned_for=100, least=2)
    for n in range(100):
        test.add(float(n % 2), float(1 - n % 2))
    assert test.mean == 0.0
    assert test.half_width == pytest.approx(0.33115, abs=2e-4)
    assert test.verdict() == "open"


def test_false_verdicts_are_rare_though_it_is_asked_after_every_event() -> None:
    """Of 300 streams without a difference, each looked at 2,000 times, at most 2 % get a verdict (α = 1 %)."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(300):
        test = PairedTest()
        for x in rng.standard_t(4, 2000).tolist():
            test.add(10.0 + x, 10.0)
            if test.verdict() != "open":
                wrong += 1
                break
    assert wrong <= 6


@pytest.mark.parametrize("rare", [0.1, 0.03, 0.01])
def test_false_verdicts_are_rare_where_the_challenger_fails_seldom_and_badly(rare: float) -> None:
    """The challenger's error is mostly a little lower, and rarely so high that nothing is gained. Before the
    first such pair the differences are all equal. At most 4 % of 200 streams get a verdict in 1,000 looks (α = 1 %)."""
    rng = np.random.default_rng(3)
    wrong = 0
    for fails in rng.random((200, 1000)) < rare:
        test = PairedTest()
        for failed in fails.tolist():
            test.add(1.0, 2.0 if failed else 1.0 - rare / (1.0 - rare))
            if test.verdict() != "open":
                wrong += 1
                break
    assert wrong <= 8


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_equal_differences_need_as_many_pairs_as_they_are_small(scale: float) -> None:
    """A difference of a thousandth of the loss needs about ln 200 = 5.3 thousand pairs, in any unit."""
    test = PairedTest()
    for n in range(5250):
        assert n < test.least or test.verdict() == "open"
        test.add(scale, 0.999 * scale)
    for _ in range(50):
        test.add(scale, 0.999 * scale)
    assert test.verdict() == "better"


@pytest.mark.parametrize(("shift", "verdict"), [(0.5, "better"), (-0.5, "worse")])
def test_a_difference_is_found(shift: float, verdict: str) -> None:
    """A difference of half a deviation takes at most a few hundred pairs."""
    rng = np.random.default_rng(2)
    test = PairedTest()
    while test.verdict() == "open":
        test.add(2.0 + float(rng.normal(shift)), 2.0)
        assert test.count < 500
    assert test.verdict() == verdict


def test_not_before_the_least_count_and_nothing_that_is_not_finite() -> None:
    """There is no verdict before the least count, however clear the pairs are; nan and infinity are left out."""
    test = PairedTest(least=30)
    for _ in range(29):
        test.add(2.0, 1.0)
    test.add(math.nan, 1.0)
    test.add(1.0, math.inf)
    assert (test.count, test.half_width, test.verdict()) == (29, math.inf, "open")
    test.add(2.0, 1.0)
    assert test.verdict() == "better"
