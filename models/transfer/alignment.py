"""Align a target's item vectors with those of its sources, by gradient reversal or by moments.

This aligns the output of the *item* tower for the items of the micro-batch. That tower has parameters of each domain.
The user tower is shared and reads item vectors, so users follow. The popularity component is left out, because it is
compared inside one domain only.

N vectors, F = D-1 of their dimensions.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

HIDDEN = 16


def ramp(progress: float) -> float:
    """Return λ_p = 2 / (1 + exp(-10 p)) - 1 for p in [0, 1]: alignment grows as the critic learns.

    Source: Ganin et al., "Domain-adversarial training of neural networks" (2016), section 5.2.2.
    """
    return 2.0 / (1.0 + math.exp(-10.0 * min(max(progress, 0.0), 1.0))) - 1.0


class GradientReversal(torch.autograd.Function):
    """R(x) = x, dR/dx = -λ I. Source: Ganin et al. (2016), eq. 17 and 18."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        """Return x."""
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Return the gradient times -strength."""
        return -ctx.strength * gradients[0], None


def reversed_gradient(x: Tensor, strength: float) -> Tensor:
    """Return x; its gradient is multiplied by -strength on the way back."""
    out: Tensor = GradientReversal.apply(x, strength)  # type: ignore[no-untyped-call]
    return out


class Critic(nn.Module):
    """Tells a target's items from those of its sources: relu(v A + a) B + b, one logit a domain."""

    def __init__(self, domains: int, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden = nn.Parameter(torch.randn(dim, HIDDEN, generator=generator) / dim**0.5)
        self.hidden_bias = nn.Parameter(torch.zeros(HIDDEN))
        self.out = nn.Parameter(torch.randn(HIDDEN, domains, generator=generator) * 0.1)
        self.out_bias = nn.Parameter(torch.zeros(domains))

    def forward(self, vectors: Tensor, target: int) -> Tensor:
        """Return (N,) logits of belonging to `target`, for (N, F) vectors."""
        h = torch.relu(vectors @ self.hidden + self.hidden_bias)
        return h @ self.out[:, target] + self.out_bias[target]


def adversarial_loss(critic: Critic, target: int, own: Tensor, source: Tensor, strength: float) -> Tensor:
    """Return ½ mean -log σ(c(R(v_t))) + ½ mean -log σ(-c(R(v_s))). The critic lowers it, the tower raises it.

    own, source: (N, F) item vectors of the target and of its sources. The loss is 0 without either. Both sides weigh
    the same for any numbers of vectors. Source: Ganin et al. (2016), eq. 9, with cross entropy as domain loss.
    """
    if not len(own) or not len(source):
        return own.new_zeros(())
    hit = critic(reversed_gradient(own, strength), target)
    miss = critic(reversed_gradient(source, strength), target)
    return 0.5 * (nn.functional.softplus(-hit).mean() + nn.functional.softplus(miss).mean())


def covariance(vectors: Tensor) -> Tensor:
    """Return the (F, F) covariance of (N, F) vectors, with divisor N - 1."""
    centred = vectors - vectors.mean(dim=0)
    return centred.T @ centred / (len(vectors) - 1)


def coral_loss(own: Tensor, source: Tensor) -> Tensor:
    """Return ‖C_s - C_t‖²_F / (4 F²) of (N, F) vectors each; 0 with fewer than two vectors of either.

    Source: Sun and Saenko, "Deep CORAL" (2016), eq. 1.

    In one dimension with the variances 2 and 8 it is (8 - 2)² / 4:

    >>> float(coral_loss(torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0], [4.0]])))
    9.0
    """
    if min(len(own), len(source)) < 2:
        return own.new_zeros(())
    gap = covariance(source) - covariance(own)
    return (gap**2).sum() / (4 * own.shape[1] ** 2)
