"""Say what is known of an experiment by now: of each arm, and which arm is better."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, log

import msgspec

from models.experiments.arm_totals import ArmTotals
from models.experiments.experiment import Experiment, Unit
from models.experiments.ratio_test import ALPHA, Winner, compare_sums, smallest_lift, times_more
from models.experiments.sample_ratio import evidence_of_mismatch

WANTED_LIFT = 0.03
"""The lift for which the impressions still needed are told."""
MISMATCH_ALPHA = 0.001
"""The probability that units that come as planned are ever said to be off."""


class ArmStatus(msgspec.Struct, frozen=True):
    """What an arm's units were shown and clicked.

    units: users, or lists. clicked_on_top: share of impressions that were clicked in their first ten places. items:
    about how many distinct items were shown, by domain; coverage: that as a share of the domain's items.
    """

    arm: str
    units: int
    impressions: int
    clicks: int
    clicks_per_impression: float
    clicked_on_top: float
    items: dict[str, int]
    coverage: dict[str, float]


class Verdict(msgspec.Struct, frozen=True):
    """An arm compared with the first one, by clicks per impression.

    winner: the better of both, None while that is open. lift, low, high: of this arm over the first; low and high cover
    the true one however often they are looked at. smallest_lift: what would have been found by now in four of five
    experiments. more_impressions: until a lift of 3 % is found as surely, None if no number is enough. decided: whether
    there is enough of both arms to say anything; the numbers mean nothing before.
    """

    arm: str
    against: str
    decided: bool
    winner: str | None
    lift: float
    low: float
    high: float | None
    smallest_lift: float | None
    more_impressions: int | None


class ExperimentStatus(msgspec.Struct, frozen=True):
    """What is known of an experiment. mismatch: log evidence that units are not shared out as planned.

    as_planned: whether it is below log(1 / 0.001). If not, something between the service and the impressions loses
    units of one arm, and no verdict counts. alpha: the probability of any wrong verdict, ever.
    """

    name: str
    unit: Unit
    domains: list[str]
    starts: int
    arms: list[ArmStatus]
    verdicts: list[Verdict]
    mismatch: float
    as_planned: bool
    alpha: float = ALPHA


def status_of(
    experiment: Experiment, totals: Mapping[str, ArmTotals], sizes: Mapping[str, int]
) -> ExperimentStatus:
    """Return what is known by now. totals: by arm. sizes: the items of each domain.

    With several arms, each comparison has its part of α.
    """
    arms = list(experiment.arms)
    alpha = ALPHA / (len(arms) - 1)
    units = [totals[arm].sums.seen for arm in arms]
    mismatch = evidence_of_mismatch(units, [experiment.weights[arm] for arm in arms])
    return ExperimentStatus(
        experiment.name,
        experiment.unit,
        list(experiment.domains),
        experiment.starts,
        [_arm(arm, totals[arm], sizes) for arm in arms],
        [_verdict((arms[0], totals[arms[0]]), (arm, totals[arm]), alpha) for arm in arms[1:]],
        mismatch,
        mismatch < log(1 / MISMATCH_ALPHA),
    )


def _arm(name: str, totals: ArmTotals, sizes: Mapping[str, int]) -> ArmStatus:
    sums, items = totals.sums, {domain: items.size for domain, items in totals.items.items()}
    return ArmStatus(
        name,
        int(sums.seen),
        int(sums.shown),
        int(sums.clicks),
        sums.ratio,
        totals.tops / sums.shown if sums.shown else 0.0,
        items,
        {domain: min(1.0, n / max(1, sizes.get(domain, 0))) for domain, n in items.items()},
    )


def _verdict(first: tuple[str, ArmTotals], other: tuple[str, ArmTotals], alpha: float) -> Verdict:
    sums = first[1].sums, other[1].sums
    found = compare_sums(*sums, alpha)
    winners: dict[Winner, str | None] = {"a": first[0], "b": other[0], "open": None}
    names = other[0], first[0]
    if not 0 < found.variance < inf:  # 0: all units are alike, so there are far too few
        return Verdict(*names, False, None, 0.0, -1.0, None, None, None)
    more = times_more(found, WANTED_LIFT, alpha)
    needed = None if more == inf else max(0, round((more - 1) * (sums[0].shown + sums[1].shown)))
    high = None if found.high == inf else found.high
    return Verdict(
        *names, True, winners[found.winner], found.lift, found.low, high, smallest_lift(found, alpha), needed
    )
