"""Check, at any time, that units are shared out among arms as planned."""

from __future__ import annotations

from collections.abc import Sequence
from math import lgamma, log

STRENGTH = 100.0
"""How near the planned shares the alternatives lie, as a number of pretended units."""


def evidence_of_mismatch(counts: Sequence[int], shares: Sequence[float], strength: float = STRENGTH) -> float:
    """Return the logarithm of the evidence that units do not come in the planned shares; log(1/α) is enough.

    It is the Bayes factor of a Dirichlet alternative around the plan against the plan itself,

        log Γ(K) / Γ(K + n) + Σ_a [log Γ(K p_a + n_a) / Γ(K p_a) - n_a log p_a],

    a martingale if the plan holds. So it exceeds log(1/α) with probability α at most, however often it is looked at.
    counts: units seen in each arm, each unit once. shares: the planned share of each arm, positive, together 1.
    strength: K. Source: Lindon and Malek (2022), "Anytime-valid inference for multinomial count data".

    One unit says nothing of two equal arms; 300 to 200 does:

    >>> evidence_of_mismatch([1, 0], [0.5, 0.5])
    0.0
    >>> bool(evidence_of_mismatch([300, 200], [0.5, 0.5]) > log(1 / 0.001))
    True
    """
    total = sum(counts)
    evidence = lgamma(strength) - lgamma(strength + total)
    for count, share in zip(counts, shares, strict=True):
        prior = strength * share
        evidence += lgamma(prior + count) - lgamma(prior) - count * log(share)
    return round(evidence, 12)
