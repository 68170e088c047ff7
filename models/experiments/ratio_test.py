"""Decide which of two arms has the higher ratio of sums, clicks per impression say, at any time."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log, log1p, sqrt
from typing import Literal, NamedTuple

import numpy as np

from models.experiments.sums import ArmSums, Numbers

Winner = Literal["a", "b", "open"]

ALPHA = 0.05
LEAST_UNITS = 50
"""The least number of units in each arm for a verdict, because the interval is asymptotic."""
LIFTS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""The lifts that the test is made for; see `log_evidence`."""
NEWTON_STEPS = 8
POWER = 0.84
"""The 80 % quantile of the normal distribution."""


class Comparison(NamedTuple):
    """What is known of the lift r_b / r_a - 1 by now.

    lift: the estimate. low, high: cover the true lift at all times together with probability 1 - α. winner: the arm
    with the higher ratio, `open` while the interval holds 0. variance: of the logarithm of r_b / r_a. floor: the part
    of it that more impressions of the same units leave.
    """

    lift: float
    low: float
    high: float
    winner: Winner
    variance: float
    floor: float


def half_width(variance: float, alpha: float = ALPHA) -> float:
    """Return half the width of the interval that covers at all times with probability 1 - alpha.

    It holds every effect against which the evidence is below 1 / alpha. variance: of the estimate.

    >>> 2 < half_width(1e-4) / 1e-2 < 4  # in standard errors, wider than 1.96, which may be looked at once
    True
    """
    if variance <= 0 or variance == inf:
        return inf
    square = variance
    while log_evidence(square, 1 / variance)[0] < -log(alpha):
        square *= 2
    for _ in range(NEWTON_STEPS):  # log evidence is convex in gap², so that steps from above do not overshoot
        evidence, slope = log_evidence(square, 1 / variance)
        square -= (evidence + log(alpha)) / slope
    return sqrt(square)


def log_evidence(square: float, information: float) -> tuple[float, float]:
    """Return the log evidence that an estimate is not that of a zero effect, and its derivative by `square`.

    square: the estimate's gap², information: 1 / its variance. It is the mean over τ in `LIFTS` of normal mixtures,

        log mean_τ (1 + τ² V)^(-1/2) exp(τ² V² gap² / (2 (1 + τ² V))),

    each of which is a martingale in V, and so is their mean (Robbins 1970; Johari et al. 2017, "Peeking at A/B tests").

    >>> log_evidence(0.0, 0.0)
    (0.0, 0.0)
    """
    parts = []
    for lift in LIFTS:
        spread = 1 + lift * lift * information
        slope = (lift * information) ** 2 / (2 * spread)
        parts.append((slope * square - 0.5 * log(spread), slope))
    highest = max(one for one, _ in parts)
    weights = [exp(one - highest) for one, _ in parts]
    total = sum(weights)
    mean_slope = sum(weight * slope for weight, (_, slope) in zip(weights, parts, strict=True)) / total
    return highest + log(total / len(parts)), mean_slope


def compare_sums(a: ArmSums, b: ArmSums, alpha: float = ALPHA) -> Comparison:
    """Compare two arms by the ratio of their sums, with units as clusters.

    A unit u moves the logarithm of its arm's ratio by e_u / n, `e_u = (y_u - r x_u) / (x̄ r)`; so the variance is that
    of e over units (the delta method; Deng et al. 2018, "Applying the delta method in metric analytics"). Impressions
    of one user are not independent: to count them as if they were gives false verdicts. What units did before explains
    a part of e: the difference of its means over arms is taken out by regression (CUPED; Deng et al. 2013). As e is
    linear in a unit's totals, their covariance is all that is needed. The interval is that of `half_width`.
    """
    if min(a.seen, b.seen) < LEAST_UNITS or min(a.ratio, b.ratio) <= 0:
        return Comparison(0.0, -1.0, inf, "open", inf, inf)
    gap = log(b.ratio / a.ratio)
    slopes = _slopes((a, b))
    gap -= float((b.first[2:] / b.units - a.first[2:] / a.units) @ slopes)
    variance = sum(_variance(arm, slopes) / arm.units for arm in (a, b))
    chance = 1 / a.clicks + 1 / b.clicks
    width = half_width(variance, alpha)
    winner: Winner = "open" if abs(gap) <= width else ("b" if gap > 0 else "a")
    return Comparison(
        _lift(gap), _lift(gap - width), _lift(gap + width), winner, variance, max(0.0, variance - chance)
    )


def smallest_lift(comparison: Comparison, alpha: float = ALPHA) -> float:
    """Return the lift that would have been found by now in four of five experiments."""
    return _lift(half_width(comparison.variance, alpha) + POWER * sqrt(comparison.variance))


def times_more(comparison: Comparison, lift: float, alpha: float = ALPHA) -> float:
    """Return by which factor impressions must grow until a lift is found in four of five experiments.

    At most 1: it could be found by now. Infinite: never with these units, which differ too much; more are needed.
    """
    wanted, varying = log1p(lift), comparison.variance - comparison.floor

    def found(factor: float) -> bool:
        variance = comparison.floor + varying / factor
        return half_width(variance, alpha) + POWER * sqrt(variance) <= wanted

    if comparison.variance == inf or not found(1e9):
        return inf
    low, high = 1e-9, 1e9
    for _ in range(80):
        middle = sqrt(low * high)
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def _lift(gap: float) -> float:
    return exp(min(gap, 700.0)) - 1


def _weights(arm: ArmSums) -> Numbers:
    """Return the weights of impressions and clicks in e, (2,): by how much they move the logarithm of the ratio."""
    return np.array([-arm.ratio, 1.0]) / (arm.shown / arm.units * arm.ratio)


def _variance(arm: ArmSums, slopes: Numbers) -> float:
    """Return the variance over units of what the past does not explain of e."""
    weights = np.concatenate([_weights(arm), -slopes])
    return max(0.0, float(weights @ arm.covariance() @ weights))


def _slopes(arms: Sequence[ArmSums]) -> Numbers:
    """Return the regression of e on impressions and clicks before, (2,), within arms."""
    products, moves = np.zeros((2, 2)), np.zeros(2)
    for arm in arms:
        within = arm.covariance() * (arm.units - 1)
        products += within[2:, 2:]
        moves += within[2:, :2] @ _weights(arm)
    scale = np.sqrt(np.diag(products))
    scale[scale == 0] = 1.0
    slopes: Numbers = np.linalg.lstsq(products / np.outer(scale, scale), moves / scale, rcond=1e-9)[0] / scale
    return slopes
