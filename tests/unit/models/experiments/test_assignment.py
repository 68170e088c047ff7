"""Units get arms by hash: always the same, as many as planned, one experiment independent of another."""

from __future__ import annotations

from collections import Counter

from models.experiments.assignment import arm_of

UNITS = [f"user-{n}" for n in range(20_000)]
SHARES = {"a": 0.3, "b": 0.2}


def test_shares_are_as_planned() -> None:
    """Of 20,000 units, each share has a standard deviation of at most 0.35 %."""
    counts = Counter(arm_of("size", unit, SHARES) for unit in UNITS)
    assert abs(counts["a"] / 20_000 - 0.3) < 0.014
    assert abs(counts["b"] / 20_000 - 0.2) < 0.014
    assert counts[None] == 20_000 - counts["a"] - counts["b"]


def test_experiments_are_independent_and_keys_change_arms() -> None:
    """Those in `a` of one experiment are shared out in another as all are, and so with another key."""
    ours = [unit for unit in UNITS if arm_of("size", unit, SHARES) == "a"]
    for name, key in (("order", b""), ("size", b"secret")):
        share = sum(arm_of(name, unit, SHARES, key) == "a" for unit in ours) / len(ours)
        assert abs(share - 0.3) < 0.025


def test_full_shares_leave_nobody_out() -> None:
    halves = {"a": 0.5, "b": 0.5}
    assert {arm_of("size", unit, halves) for unit in UNITS} == {"a", "b"}


def test_a_smaller_share_keeps_its_units() -> None:
    """Those of the first arm stay in it when its share grows."""
    few = {unit for unit in UNITS if arm_of("size", unit, {"a": 0.1}) == "a"}
    assert few < {unit for unit in UNITS if arm_of("size", unit, {"a": 0.3}) == "a"}
