"""Decide which of two arms has the lower error, by a test that may be read after every event."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

Verdict = Literal["better", "worse", "open"]
Outcome = Literal["promoted", "dropped", "undecided"]
"""The end of a challenger: it took over, it lost, or its time was up."""


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
    """

    alpha: float = 0.01
    tuned_for: float = 200.0
    least: int = 30
    """Pairs before which there is no verdict, because the interval is asymptotic."""
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    sizes: float = 0.0
    """The sum of the squares of all losses."""

    def add(self, champion: float, challenger: float) -> None:
        """Add one pair of losses, ≥ 0. A pair with a value that is not finite is left out."""
        difference = champion - challenger
        if math.isfinite(difference):
            self.count += 1
            self.total += difference
            self.squares += difference * difference
            self.sizes += champion * champion + challenger * challenger

    @property
    def mean(self) -> float:
        """Mean of champion's loss minus challenger's loss, a pair."""
        return self.total / self.count if self.count else 0.0

    @property
    def margin(self) -> float:
        """Half of the interval's width; infinite before `least` pairs."""
        t = self.count
        if t < self.least:
            return math.inf
        variance = max(self.squares / t - self.mean**2, 0.0) * t / (t - 1)
        log_alpha = -2.0 * math.log(self.alpha)
        rho2 = (log_alpha + math.log(log_alpha) + 1.0) / self.tuned_for
        spread = 2.0 * (t * rho2 + 1.0) / (t * t * rho2) * math.log(math.sqrt(t * rho2 + 1.0) / self.alpha)
        unseen = math.sqrt(self.sizes / (2 * t)) * math.log(2.0 / self.alpha) / t
        return math.sqrt(variance * spread) + unseen

    def verdict(self) -> Verdict:
        """Return `better` if the challenger has the lower error, `worse` if the higher one, `open` while undecided."""
        if abs(self.mean) <= self.margin:
            return "open"
        return "better" if self.mean > 0 else "worse"
