"""What is told of an experiment: first of two equal arms, then of a lift, of lost units, and of nothing yet."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import pytest

from models.experiments.arm_totals import ArmTotals
from models.experiments.experiment import Experiment, ListSettings
from models.experiments.status import ExperimentStatus, status_of
from models.settings import RankerSettings
from tests.support.unit_totals import UnitTotals

SAME = ListSettings(10, 10, RankerSettings())


@dataclass
class World:
    """Users of unequal activity and habits. lift: of every arm but the first."""

    arms: int = 2
    lift: float = 0.0
    lost: float = 0.0
    users: int = 2000

    def status(self, seed: int) -> ExperimentStatus:
        rng, names = np.random.default_rng(seed), "abcd"[: self.arms]
        weights = dict.fromkeys(names, 1 / self.arms)
        experiment = Experiment("size", ("movies",), "user", dict.fromkeys(names, SAME), weights)
        activity = rng.gamma(1.0, 30.0, self.users)
        rate = rng.gamma(4.0, 0.25, self.users)
        before, arm = rng.poisson(activity), rng.integers(0, self.arms, self.users)
        past, shown = rng.poisson(rate * before), rng.poisson(activity)
        clicks = rng.poisson(rate * shown * (1 + self.lift * (arm > 0)))
        kept = (shown > 0) & ((arm == 0) | (rng.random(self.users) >= self.lost))
        totals = {}
        for n, name in enumerate(names):
            own = kept & (arm == n)
            held = totals[name] = ArmTotals()
            held.sums = UnitTotals(*(x[own] for x in (shown, clicks, before, past))).sums()
        return status_of(experiment, totals, {"movies": 100})


def test_equal_arms() -> None:
    """A/A: of 200 experiments at most 10 get a verdict, whether there are two arms or four; none is said to be off."""
    for arms in (2, 4):
        found = [World(arms).status(seed) for seed in range(200)]
        assert sum(any(verdict.winner for verdict in one.verdicts) for one in found) <= 10
        assert all(one.as_planned for one in found)


def test_a_lift() -> None:
    """10 % is found, with an interval that holds it; 3 % needs no more once the smallest lift is below it."""
    found = [World(lift=0.1).status(seed) for seed in range(20)]
    assert sum(one.verdicts[0].winner == "b" for one in found) >= 16
    assert sum(one.verdicts[0].low < 0.1 < (one.verdicts[0].high or 9) for one in found) >= 19
    verdict = found[0].verdicts[0]
    assert verdict.smallest_lift is not None
    assert (verdict.smallest_lift <= 0.03) == (verdict.more_impressions == 0)


def test_lost_units() -> None:
    """A fifth of one arm's users never come through: no verdict counts."""
    assert all(not World(lost=0.2, users=5000).status(seed).as_planned for seed in range(5))


def test_nothing_yet() -> None:
    """It says so, and is JSON."""
    one = World(users=20).status(0)
    (verdict,) = one.verdicts
    assert (verdict.decided, verdict.winner, verdict.high) == (False, None, None)
    assert one.as_planned
    assert msgspec.json.decode(msgspec.json.encode(one))["verdicts"][0]["more_impressions"] is None


def test_shares_of_impressions_and_items() -> None:
    """By hand: 4 impressions with 3 clicks, of which 1 is on top; 10 of 40 items."""
    held = ArmTotals()
    held.sums = held.sums.moved((0, 0, 0, 0), (4, 3, 0, 0))
    held.tops = 1
    held.shows("movies", np.arange(10, dtype=np.int64) * 0x1234567890ABCDEF)
    experiment = Experiment("size", ("movies",), "user", {"a": SAME, "b": SAME}, {"a": 0.5, "b": 0.5})
    arm = status_of(experiment, {"a": held, "b": ArmTotals()}, {"movies": 40}).arms[0]
    assert (arm.units, arm.impressions, arm.clicks) == (1, 4, 3)
    assert (arm.clicks_per_impression, arm.clicked_on_top) == (0.75, 0.25)
    assert arm.items == {"movies": 10}
    assert arm.coverage == pytest.approx({"movies": 0.25})
