"""Define the equations that carry sources' parameters into a target, each as one pure function.

Notation: θ_s, θ_t a source's and the target's domain-layer parameters (b_s, b_t: one bias vector of them); θ_s* the
source's best so far; w_s a source's weight; n target events so far; m of them in this step.

The combined procedure of a step, which `NetworkLearner.learn` follows: (1) train the source and (2) the target, in one
gradient step on `total_loss`; (3) share and (4) correct, `adapted`; (5) recommend from the corrected parameters.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

STEP_EVENTS = 256
"""Events of a full micro-batch: the unit in which an adaptation rate is stated."""
LEAST_DIVERGENCE = 0.1
"""Least divergence that counts, as a share of the mean one. A smaller one may be chance, and gives no more weight."""
FADE = 0.25
"""ε: with a source closer to its best than this, the step shrinks in proportion. All domain layers together have a norm
of about 1."""


def transfer_loss(source: Tensor, target: Tensor, weight: float) -> Tensor:
    """Return L = L_source + λ L_target. weight: λ.

    Source: the weighted sum of Caruana, "Multitask learning" (1997).
    """
    return source + weight * target


def total_loss(
    source: Tensor, target: Tensor, correction: Tensor, target_weight: float, correction_weight: float
) -> Tensor:
    """Return L = L_source + λ L_target + γ · correction. target_weight: λ. correction_weight: γ."""
    return transfer_loss(source, target, target_weight) + correction_weight * correction


def uncertainty_weighted(loss: Tensor, log_variance: Tensor) -> Tensor:
    """Return exp(-s) L + s / 2 for a task with log variance s, so that the weight between tasks is learned.

    Source: Kendall, Gal and Cipolla, "Multi-task learning using uncertainty to weigh losses" (2018), eq. 10, with L =
    half the squared error. For cross entropy it is their approximation.
    """
    return torch.exp(-log_variance) * loss + 0.5 * log_variance


def source_weights(divergences: Mapping[int, float]) -> dict[int, float]:
    """Return w_s ∝ 1 / max(d_s, mean(d) / 10), which add up to 1, so that near sources count more.

    The unit of d does not matter. Weights are equal if all divergences are equal or zero. Source: inverse distance
    weighting, Shepard (1968).

    >>> source_weights({0: 1.0, 1: 3.0})
    {0: 0.75, 1: 0.25}
    """
    if not divergences:
        return {}
    least = LEAST_DIVERGENCE * sum(divergences.values()) / len(divergences)
    if least <= 0:
        return dict.fromkeys(divergences, 1.0 / len(divergences))
    inverse = {s: 1.0 / max(d, least) for s, d in divergences.items()}
    total = sum(inverse.values())
    return {s: value / total for s, value in inverse.items()}


def source_mean(parameters: Tensor, weights: Mapping[int, float]) -> Tensor:
    """Return θ̄_s = Σ_s w_s θ_s, (P,). parameters: (K, P), a row a domain."""
    w = torch.tensor(list(weights.values()), dtype=parameters.dtype)
    return w @ parameters[list(weights)]


def shared(target: Tensor, source: Tensor) -> Tensor:
    """Return θ_s in the shape of θ_t, (P,): parameter sharing, where the target takes the source's values."""
    return source.expand_as(target).clone()


def shrinkage_rate(kappa: float, n_target: float) -> float:
    """Return κ / (κ + n), the shrinkage of a target with n events towards the source in 256 of its events, 0 to 1.

    Source: the weight of the prior mean in the James-Stein / normal-normal estimator, with κ the ratio of the noise's
    variance to the prior's.

    >>> shrinkage_rate(500.0, 0.0), shrinkage_rate(500.0, 1500.0)
    (1.0, 0.25)
    """
    return kappa / (kappa + n_target) if kappa > 0 else 0.0


def step_fraction(rate: float, m: float) -> float:
    """Return 1 - (1 - rate)^(m/256), the part of a rate per 256 events for a step of m events.

    Two steps of m/2 events do the same as one of m, so the size of micro-batches does not matter.

    >>> step_fraction(0.75, 128.0)  # and again: 1 - 0.5 · 0.5 = 0.75
    0.5
    """
    return float(1.0 - (1.0 - rate) ** (m / STEP_EVENTS))


def corrected(target: Tensor, source: Tensor, fraction: float) -> Tensor:
    """Return b_t - (b_t - b_s) · fraction, (P,), the bias correction of one domain layer: b_t shrinks toward b_s."""
    return target - (target - source) * fraction


def adapted(target: Tensor, source: Tensor, share: bool, fraction: float) -> Tensor:
    """Return one layer of a trained target after steps 3 and 4 of the combined procedure: share, then correct."""
    return corrected(shared(target, source) if share else target, source, fraction)


def bias_direction(source: Tensor, best: Tensor, fade: float = FADE) -> Tensor:
    """Return Δ / max(‖Δ‖, ε) with Δ = θ_s - θ_s*, the domain bias term, (P,).

    It is a unit vector, shorter near the optimum, and 0 at Δ = 0. -Δ is the way that the source still has to go.
    """
    delta = source - best
    return delta / max(float(delta.norm()), fade)


def bias_corrected(target: Tensor, direction: Tensor) -> Tensor:
    """Return θ_t - Δ/‖Δ‖, (P,), the domain bias correction: the target after one step along the source's way."""
    return target - direction


def correction_loss(target: Tensor, direction: Tensor) -> Tensor:
    """Return ½ ‖θ_t - sg(θ_t - Δ/‖Δ‖)‖², whose gradient in θ_t is exactly Δ/‖Δ‖. sg: stop gradient."""
    goal = bias_corrected(target, direction).detach()
    return 0.5 * ((target - goal) ** 2).sum()


@torch.no_grad()
def bias_terms(layers: Mapping[str, Tensor], domain: int, weights: Mapping[int, float]) -> dict[str, float]:
    """Return ‖b‖ for each layer, (K, ·), and as `<layer>_gap` ‖b - b_s‖, the distance to the sources' weighted mean."""
    terms = {name: float(biases[domain].norm()) for name, biases in layers.items()}
    if weights:
        for name, biases in layers.items():
            terms[f"{name}_gap"] = float((biases[domain] - source_mean(biases, weights)).norm())
    return terms
