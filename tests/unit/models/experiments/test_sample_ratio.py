"""The check of sample ratios: silent while units come as planned, however often it is asked, and loud otherwise."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from models.experiments.sample_ratio import evidence_of_mismatch


def test_by_hand() -> None:
    """K = 2, equal shares, counts 2 and 0: Γ(2)/Γ(4) · Γ(3)/Γ(1) · 2² = 1/6 · 2 · 4 = 4/3."""
    assert evidence_of_mismatch([2, 0], [0.5, 0.5], strength=2.0) == pytest.approx(log(4 / 3))


def evidence(seed: int, share: float) -> float:
    """Return the highest evidence, asked after every tenth of 5,000 units that should be halves."""
    second = np.cumsum(np.random.default_rng(seed).random(5_000) < share)
    return max(
        evidence_of_mismatch([n - int(second[n - 1]), int(second[n - 1])], [0.5, 0.5])
        for n in range(10, 5_001, 10)
    )


def test_planned_shares_raise_no_alarm() -> None:
    """At α = 5 %, of 100 experiments at most 5."""
    assert sum(evidence(seed, 0.5) > log(20) for seed in range(100)) <= 5


def test_shares_that_are_off_do() -> None:
    """45 to 55 within 5,000 units."""
    assert all(evidence(seed, 0.45) > log(20) for seed in range(20))
