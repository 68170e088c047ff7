"""Alignment of a target's item vectors with its sources': by gradient reversal, and by moments.

What is aligned is the output of the *item* tower, of the items in the micro-batch: a domain's own parameters are there,
while the user tower is shared and reads item vectors, so users follow. The popularity component stays out of it:
it is compared inside one domain only.

N vectors, F = D-1 of their dimensions.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

HIDDEN = 16


def ramp(progress: float) -> float:
    """λ_p = 2 / (1 + exp(-10 p)) - 1, p in [0, 1]: no alignment until the critic knows something.

    Source: Ganin et al., "Domain-adversarial training of neural networks" (2016), section 5.2.2.
    """
    return 2.0 / (1.0 + math.exp(-10.0 * min(max(progress, 0.0), 1.0))) - 1.0


class GradientReversal(torch.autograd.Function):
    """R(x) = x, dR/dx = -λ I. Source: Ganin et al. (2016), eq. 17 and 18."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


def reversed_gradient(x: Tensor, strength: float) -> Tensor:
    """x itself; the gradient that comes back is multiplied by -strength."""
    out: Tensor = GradientReversal.apply(x, strength)  # type: ignore[no-untyped-call]
    return out


class Critic(nn.Module):
    """Tells a target's items from its sources': relu(v A + a) B + b, one logit a domain."""

    def __init__(self, domains: int, dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden = nn.Parameter(torch.randn(dim, HIDDEN, generator=generator) / dim**0.5)
        self.hidden_bias = nn.Parameter(torch.zeros(HIDDEN))
        self.out = nn.Parameter(torch.randn(HIDDEN, domains, generator=generator) * 0.1)
        self.out_bias = nn.Parameter(torch.zeros(domains))

    def forward(self, vectors: Tensor, target: int) -> Tensor:
        """(N, F) → (N,): the logit of belonging to `target`."""
        h = torch.relu(vectors @ self.hidden + self.hidden_bias)
        return h @ self.out[:, target] + self.out_bias[target]


def adversarial_loss(critic: Critic, target: int, own: Tensor, source: Tensor, strength: float) -> Tensor:
    """½ mean -log σ(c(R(v_t))) + ½ mean -log σ(-c(R(v_s))): what the critic learns by, and the tower against.

    own, source: (N, F) item vectors of the target and of its sources; 0 if there are none of either. Both sides weigh
    the same however many there are. Source: Ganin et al. (2016), eq. 9, with cross entropy as domain loss.
    """
    if not len(own) or not len(source):
        return own.new_zeros(())
    hit = critic(reversed_gradient(own, strength), target)
    miss = critic(reversed_gradient(source, strength), target)
    return 0.5 * (nn.functional.softplus(-hit).mean() + nn.functional.softplus(miss).mean())


def covariance(vectors: Tensor) -> Tensor:
    """(N, F) → (F, F), divided by N - 1."""
    centred = vectors - vectors.mean(dim=0)
    return centred.T @ centred / (len(vectors) - 1)


def coral_loss(own: Tensor, source: Tensor) -> Tensor:
    """‖C_s - C_t‖²_F / (4 F²); 0 with fewer than two vectors of either.

    Source: Sun and Saenko, "Deep CORAL" (2016), eq. 1.
    """
    if min(len(own), len(source)) < 2:
        return own.new_zeros(())
    gap = covariance(source) - covariance(own)
    return (gap**2).sum() / (4 * own.shape[1] ** 2)
