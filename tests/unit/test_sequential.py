"""The anytime-valid paired test: rarely wrong however often it is looked at, and prompt where there is a difference."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.sequential import PairedTest


def test_margin_by_hand() -> None:
    """100 differences ±1 with mean 0, α = 0.05, tuned for 100.

    -2 ln 0.05 = 5.9915; ρ² = (5.9915 + ln 5.9915 + 1) / 100 = 0.087818; t ρ² + 1 = 9.7818;
    variance 100/99; margin² = 100/99 · 2 · 9.7818 / (100² · 0.087818) · ln(√9.7818 / 0.05)
    = 1.0101 · 0.022278 · 4.13594 = 0.093071, margin 0.30507.
    """
    test = PairedTest(alpha=0.05, tuned_for=100, least=2)
    for n in range(100):
        test.add(1.0 if n % 2 else -1.0)
    assert test.mean == 0.0
    assert test.margin == pytest.approx(0.30507, abs=2e-4)
    assert test.verdict() == "open"


def test_false_verdicts_are_rare_though_it_is_asked_after_every_event() -> None:
    """Of 300 streams without a difference, each looked at 2,000 times, at most 2 % get a verdict (α = 1 %)."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(300):
        test = PairedTest()
        for x in rng.standard_t(4, 2000).tolist():
            test.add(x)
            if test.verdict() != "open":
                wrong += 1
                break
    assert wrong <= 6


@pytest.mark.parametrize(("shift", "verdict"), [(0.5, "better"), (-0.5, "worse")])
def test_a_difference_is_found(shift: float, verdict: str) -> None:
    """Half a deviation takes no more than a few hundred pairs."""
    rng = np.random.default_rng(2)
    test = PairedTest()
    while test.verdict() == "open":
        test.add(float(rng.normal(shift)))
        assert test.count < 500
    assert test.verdict() == verdict


def test_not_before_the_least_count_and_nothing_that_is_not_finite() -> None:
    """However clear the first pairs are; nan and infinity are left out."""
    test = PairedTest(least=30)
    for _ in range(29):
        test.add(1.0)
    test.add(math.nan)
    test.add(math.inf)
    assert (test.count, test.margin, test.verdict()) == (29, math.inf, "open")
    test.add(1.0)
    assert test.verdict() == "better"
