"""Decide which of two arms has the lower error, by a test that may be read after every event."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.kernels import finite, kernel

Verdict = Literal["better", "worse", "open"]
Outcome = Literal["promoted", "dropped", "undecided"]
"""The end of a challenger: it took over, it lost, or its time was up."""


ALPHA, TUNED_FOR, LEAST = 0.01, 200.0, 30
"""The usual terms of a test."""
COUNT, TOTAL, SQUARES, SIZES = range(4)
"""Columns of the sums over pairs: number, differences, squared differences, squares of both losses."""


@kernel
def fold_pair(sums: NDArray[Any], champion: float, challenger: float) -> None:
    """Add one pair of losses, which are not negative, to `sums`, (4,). Skip a pair that is not finite."""
    difference = champion - challenger
    if finite(difference):
        sums[COUNT] += 1
        sums[TOTAL] += difference
        sums[SQUARES] += difference * difference
        sums[SIZES] += champion * champion + challenger * challenger


@kernel
def fold_pairs(sums: NDArray[Any], champion: NDArray[Any], challenger: NDArray[Any]) -> None:
    """Add pairs of losses, (n,) each, to sums (4,)."""
    for n in range(len(champion)):
        fold_pair(sums, champion[n], challenger[n])


@kernel
def half_width_of(sums: NDArray[Any], alpha: float, tuned_for: float, least: int) -> float:
    """Return half the interval's width, see `PairedTest`; infinite before `least` pairs. sums: (4,)."""
    t = sums[COUNT]
    if t < least:
        return np.inf
    mean = sums[TOTAL] / t
    variance = max(sums[SQUARES] / t - mean * mean, 0.0) * t / (t - 1)
    log_alpha = -2.0 * np.log(alpha)
    rho2 = (log_alpha + np.log(log_alpha) + 1.0) / tuned_for
    spread = 2.0 * (t * rho2 + 1.0) / (t * t * rho2) * np.log(np.sqrt(t * rho2 + 1.0) / alpha)
    unseen = np.sqrt(sums[SIZES] / (2 * t)) * np.log(2.0 / alpha) / t
    half_width: float = np.sqrt(variance * spread) + unseen
    return half_width


class PairedTest(msgspec.Struct):
    """The mean of paired differences d_t = loss of the champion - loss of the challenger, at any time t.

        CS_t = mean_t ± [σ_t sqrt(2 (t ρ² + 1) / (t² ρ²) · log(sqrt(t ρ² + 1) / α)) + s_t log(2 / α) / t]

    covers the true mean at all t together with probability 1 - α, so the test may be read as often as wanted. ρ makes
    the interval tightest near `tuned_for` pairs. Source of the first part: Waudby-Smith, Arbour, Sinha, Kennedy and
    Ramdas (2024), "Time-uniform central limit theory and asymptotic confidence sequences", theorem 2.2, appendix B.2.

    That part is asymptotic: it trusts the variance σ_t² seen so far, which is 0 after 30 equal differences. The second
    part is a floor by the losses' own scale s_t, their root mean square. An outcome that did not occur in t pairs may
    still have a probability p of log(2 / α) / t, as (1 - p)^t ≥ α / 2, and may make a difference as large as a loss.
    The mean is then off by s p. Source: the rule of three, Hanley and Lippman-Hand (1983), "If nothing goes wrong, is
    everything all right?"; such a term in an interval: Maurer and Pontil (2009), "Empirical Bernstein bounds".

    With equal differences only the floor is left, here 1 · log(200) / 30:

    >>> test = PairedTest()
    >>> test.add_many(np.full(30, 1.0), np.full(30, 1.0))
    >>> round(test.half_width, 6) == round(float(np.log(200) / 30), 6), test.verdict()
    (True, 'open')
    >>> test.add_many(np.full(30, 1.0), np.full(30, 0.0))
    >>> test.mean, test.verdict()
    (0.5, 'better')
    """

    alpha: float = ALPHA
    tuned_for: float = TUNED_FOR
    least: int = LEAST
    """The least number of pairs for a verdict, because the interval is asymptotic."""
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    sizes: float = 0.0
    """The sum of the squares of all losses."""

    def add(self, champion: float, challenger: float) -> None:
        """Add one pair of losses, which are not negative. Skip a pair that is not finite."""
        self.add_many(np.array([champion]), np.array([challenger]))

    def add_many(self, champion: NDArray[Any], challenger: NDArray[Any]) -> None:
        """Add pairs of losses, (n,) each."""
        sums = self.sums
        fold_pairs(sums, champion, challenger)
        self.count, (self.total, self.squares, self.sizes) = int(sums[COUNT]), sums[TOTAL:].tolist()

    @property
    def sums(self) -> NDArray[np.float64]:
        """(4,): a copy of what was added up so far."""
        return np.array([self.count, self.total, self.squares, self.sizes], np.float64)

    @property
    def mean(self) -> float:
        """Mean of champion's loss minus challenger's loss, a pair."""
        return self.total / self.count if self.count else 0.0

    @property
    def half_width(self) -> float:
        """Half the interval's width; infinite before `least` pairs."""
        return float(half_width_of(self.sums, self.alpha, self.tuned_for, self.least))

    def verdict(self) -> Verdict:
        """Return `better`: the challenger errs less; `worse`: it errs more; `open`: not decided yet."""
        if self.count < self.least or abs(self.mean) <= self.half_width:
            return "open"
        return "better" if self.mean > 0 else "worse"
