"""The compiled attention and its gradients equal the plain formula in torch."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from models.network.attention import Attention
from models.threads import Workers

B, A, L, M, F = 6, 4, 9, 12, 5


def inputs() -> tuple[Tensor, ...]:
    """Return queries, vectors, places, position, fade and pause, for users with all, some and no items, one twice."""
    rng = torch.Generator().manual_seed(0)
    near = torch.randint(0, M, (B, L), generator=rng)
    near[1], near[2, 1:], near[3, 4:] = -1, -1, -1
    near[4] = near[4, 0]
    shapes = ((B, A, F), (M, F), (A, L), (A,))
    queries, vectors, position, fade = (torch.randn(s, generator=rng).requires_grad_() for s in shapes)
    return queries, vectors, near, position, fade, torch.rand(B, L, generator=rng)


def plain(
    queries: Tensor, vectors: Tensor, near: Tensor, position: Tensor, fade: Tensor, pause: Tensor
) -> Tensor:
    """Return attention by one formula, (B, A, F)."""
    used = near >= 0
    items = vectors[near.clamp(min=0)] * used[:, :, None]
    logits = queries @ items.transpose(1, 2) + position - fade[:, None] * pause[:, None, :]
    return torch.softmax(logits.masked_fill(~used[:, None, :], -1e9), dim=2) @ items


def test_the_result_is_the_formula() -> None:
    given = inputs()
    result = Attention.apply(Workers(2), *given)
    np.testing.assert_allclose(result.detach().numpy(), plain(*given).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert not result[1].any()


def test_the_gradients_are_those_of_the_formula() -> None:
    """Gradients of queries, vectors, position and fade agree, for a loss with different weights."""
    weights = torch.linspace(-1.0, 1.0, B * A * F).view(B, A, F)
    found = []
    for function in (partial(Attention.apply, Workers(2)), plain):
        given = inputs()
        torch.autograd.backward((function(*given) * weights).sum())
        found.append([given[n].grad for n in (0, 1, 3, 4)])
    for one, other in zip(*found, strict=True):
        assert one is not None
        assert other is not None
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-5)
