"""The equations that carry sources' parameters into a target, each one pure function.

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
"""Of the mean one: a source nearer than that is measured no better than by chance, and gets no more weight."""
FADE = 0.25
"""ε: a source closer to its best than this is followed in proportion. All domain layers together measure about 1."""


def transfer_loss(source: Tensor, target: Tensor, weight: float) -> Tensor:
    """L = L_source + λ L_target.

    Source: the weighted sum of Caruana, "Multitask learning" (1997).
    """
    return source + weight * target


def total_loss(
    source: Tensor, target: Tensor, correction: Tensor, target_weight: float, correction_weight: float
) -> Tensor:
    """L = L_source + λ L_target + γ · correction. Source: DESIGN section 6."""
    return transfer_loss(source, target, target_weight) + correction_weight * correction


def uncertainty_weighted(loss: Tensor, log_variance: Tensor) -> Tensor:
    """exp(-s) L + s / 2 for a task with log variance s, so that the weight between tasks is learned.

    Source: Kendall, Gal and Cipolla, "Multi-task learning using uncertainty to weigh losses" (2018), eq. 10
    with L = half the squared error; for cross entropy it is their approximation.
    """
    return torch.exp(-log_variance) * loss + 0.5 * log_variance


def source_weights(divergences: Mapping[int, float]) -> dict[int, float]:
    """w_s ∝ 1 / max(d_s, mean(d) / 10), adding up to 1: near sources count more, whatever the unit of d.

    Equal weights if all are equal or zero; none for no source. Source: inverse distance weighting, Shepard (1968).
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
    """θ̄_s = Σ_s w_s θ_s. parameters: (K, P), a row a domain. Result: (P,)"""
    w = torch.tensor(list(weights.values()), dtype=parameters.dtype)
    return w @ parameters[list(weights)]


def shared(target: Tensor, source: Tensor) -> Tensor:
    """θ_t ← θ_s: parameter sharing, the target takes the source's values."""
    return source.expand_as(target).clone()


def shrinkage_rate(kappa: float, n_target: float) -> float:
    """κ / (κ + n): how far a target with n events is drawn to the source in 256 of its events.

    Source: the weight of the prior mean in the James-Stein / normal-normal estimator, with κ
    the ratio of the noise's to the prior's variance.
    """
    return kappa / (kappa + n_target) if kappa > 0 else 0.0


def step_fraction(rate: float, m: float) -> float:
    """1 - (1 - rate)^(m/256): the part of a rate per 256 events that m events take.

    Steps compose: two steps with m/2 events do what one with m does, so micro-batch size does not matter.
    """
    return float(1.0 - (1.0 - rate) ** (m / STEP_EVENTS))


def corrected(target: Tensor, source: Tensor, fraction: float) -> Tensor:
    """b_t - (b_t - b_s) · fraction: the bias correction of one domain layer: shrinkage of b_t toward b_s."""
    return target - (target - source) * fraction


def adapted(target: Tensor, source: Tensor, share: bool, fraction: float) -> Tensor:
    """Steps 3 and 4 of the combined procedure for one layer of a trained target: share, then correct."""
    return corrected(shared(target, source) if share else target, source, fraction)


def bias_direction(source: Tensor, best: Tensor, fade: float = FADE) -> Tensor:
    """Δ / max(‖Δ‖, ε), Δ = θ_s - θ_s*: the domain bias term. A unit vector; shorter near the optimum, 0 at Δ = 0.

    Source: DESIGN section 6; -Δ is the way the source still has to go.
    """
    delta = source - best
    return delta / max(float(delta.norm()), fade)


def bias_corrected(target: Tensor, direction: Tensor) -> Tensor:
    """θ_t - Δ/‖Δ‖: the domain bias correction, the target one step along the source's way. Source: as above."""
    return target - direction


def correction_loss(target: Tensor, direction: Tensor) -> Tensor:
    """½ ‖θ_t - sg(θ_t - Δ/‖Δ‖)‖², sg: stop gradient. Its gradient in θ_t is exactly Δ/‖Δ‖. Source: as above."""
    goal = bias_corrected(target, direction).detach()
    return 0.5 * ((target - goal) ** 2).sum()


@torch.no_grad()
def bias_terms(layers: Mapping[str, Tensor], domain: int, weights: Mapping[int, float]) -> dict[str, float]:
    """Per layer ‖b‖, and as `<layer>_gap` ‖b - b_s‖, the distance to the weighted mean of the sources'."""
    terms = {name: float(biases[domain].norm()) for name, biases in layers.items()}
    if weights:
        for name, biases in layers.items():
            terms[f"{name}_gap"] = float((biases[domain] - source_mean(biases, weights)).norm())
    return terms
