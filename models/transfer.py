"""The equations that carry a source's parameters into a target, as pure functions.

Notation: b_s, b_t bias vectors of source and target; n target events so far; m of them in this step.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

STEP_EVENTS = 256
"""Events of a full micro-batch: the unit in which an adaptation rate is stated."""


def transfer_loss(source: Tensor, target: Tensor, weight: float) -> Tensor:
    """L = L_source + λ L_target.

    Source: the weighted sum of Caruana, "Multitask learning" (1997).
    """
    return source + weight * target


def uncertainty_weighted(loss: Tensor, log_variance: Tensor) -> Tensor:
    """exp(-s) L + s / 2 for a task with log variance s, so that the weight between tasks is learned.

    Source: Kendall, Gal and Cipolla, "Multi-task learning using uncertainty to weigh losses" (2018), eq. 10
    with L = half the squared error; for cross entropy it is their approximation.
    """
    return torch.exp(-log_variance) * loss + 0.5 * log_variance


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


def source_mean(biases: Tensor, sources: list[int]) -> Tensor:
    """b_s, the mean of the sources' bias vectors. biases: (K, H), a row a domain. Result: (H,)"""
    return biases[sources].mean(dim=0)


@torch.no_grad()
def correct_toward_sources(
    layers: Mapping[str, Tensor], target: int, sources: list[int], fraction: float
) -> None:
    """The bias correction of all of a target's domain layers, in place. layers: (K, ·) each."""
    for biases in layers.values():
        biases[target] = corrected(biases[target], source_mean(biases, sources), fraction)


@torch.no_grad()
def bias_terms(layers: Mapping[str, Tensor], domain: int, sources: list[int]) -> dict[str, float]:
    """Per layer ‖b‖, and as `<layer>_gap` ‖b - b_s‖, the distance to the mean of the sources'."""
    terms = {name: float(biases[domain].norm()) for name, biases in layers.items()}
    if sources:
        for name, biases in layers.items():
            terms[f"{name}_gap"] = float((biases[domain] - source_mean(biases, sources)).norm())
    return terms
