"""Gradient reversal and moment alignment agree with numbers worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from models.transfer.alignment import (
    Critic,
    adversarial_loss,
    coral_loss,
    covariance,
    ramp,
    reversed_gradient,
)


@pytest.mark.parametrize(
    ("progress", "strength"),
    [(0.0, 0.0), (0.1, math.tanh(0.5)), (0.5, math.tanh(2.5)), (1.0, math.tanh(5.0)), (7.0, math.tanh(5.0))],
)
def test_ramp(progress: float, strength: float) -> None:
    """2 / (1 + e^-x) - 1 = tanh(x / 2) with x = 10 p; past the end it stays."""
    assert ramp(progress) == pytest.approx(strength)


def test_reversal_leaves_values_and_turns_gradients() -> None:
    """f = x1² + 3 x2 at (2, 5): ∇f = (4, 3); through R with λ = 0.5: (-2, -1.5)."""
    x = torch.tensor([2.0, 5.0], requires_grad=True)
    y = reversed_gradient(x, 0.5)
    assert y.tolist() == [2.0, 5.0]
    (y[0] ** 2 + 3 * y[1]).backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-2.0, -1.5]


def critic() -> Critic:
    """c(v) = 2 relu(v1) for domain 1: one hidden unit in use, no biases."""
    made = Critic(2, 2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        made.hidden.zero_()
        made.out.zero_()
        made.hidden[0, 0] = 1.0
        made.out[0, 1] = 2.0
    return made


def test_adversarial_loss_by_hand() -> None:
    """Target v = (1, 0): c = 2, source v = (0.5, 9): c = 1. Loss ½ (ln(1 + e⁻²) + ln(1 + e¹)).

    The critic's weight b (c = b relu(v1)) gets ½ (-(1 - σ(2)) · 1 + σ(1) · 0.5); the target's v1 gets the
    reverse of ½ · -(1 - σ(2)) · 2, times λ = 0.3; the source's of ½ · σ(1) · 2.
    """
    own = torch.tensor([[1.0, 0.0]], requires_grad=True)
    source = torch.tensor([[0.5, 9.0]], requires_grad=True)
    made = critic()
    loss = adversarial_loss(made, 1, own, source, 0.3)
    assert loss.item() == pytest.approx(0.5 * (math.log1p(math.exp(-2)) + math.log1p(math.exp(1))))
    loss.backward()
    s1, s2 = 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(-2))
    assert own.grad is not None
    assert source.grad is not None
    assert made.out.grad is not None
    assert made.out.grad[0, 1].item() == pytest.approx(0.5 * (-(1 - s2) + s1 * 0.5))
    assert own.grad[0, 0].item() == pytest.approx(0.3 * (1 - s2))
    assert source.grad[0, 0].item() == pytest.approx(-0.3 * s1)


def test_both_sides_weigh_the_same() -> None:
    """A hundred equal source items have the same loss as one."""
    own, source = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 9.0]])
    once = adversarial_loss(critic(), 1, own, source, 1.0)
    many = adversarial_loss(critic(), 1, own, source.expand(100, 2), 1.0)
    assert once.item() == pytest.approx(many.item())


def test_covariance() -> None:
    """(1, 0), (3, 4): centred (∓1, ∓2), so [[2, 4], [4, 8]] / (2 - 1)."""
    assert covariance(torch.tensor([[1.0, 0.0], [3.0, 4.0]])).tolist() == [[2.0, 4.0], [4.0, 8.0]]


def test_coral_by_hand() -> None:
    """C_t = [[2, 4], [4, 8]], C_s = [[2, 0], [0, 0]]: (4² + 4² + 8²) / (4 · 2²) = 6. Means do not matter.

    d/dC_t = (C_t - C_s) / (2 · 2²) = [[0, 4], [4, 8]] / 8; through C_t = X'X with centred rows X = ±(1, 2):
    dX = 2 X G = ±2 (1 · 0 + 2 · 0.5, 1 · 0.5 + 2 · 1) = ±(2, 5).
    """
    own = torch.tensor([[1.0, 0.0], [3.0, 4.0]], requires_grad=True)
    source = torch.tensor([[10.0, 7.0], [12.0, 7.0]])
    loss = coral_loss(own, source)
    assert loss.item() == pytest.approx(6.0)
    loss.backward()
    assert own.grad is not None
    torch.testing.assert_close(own.grad, torch.tensor([[-2.0, -5.0], [2.0, 5.0]]))


def test_nothing_to_align() -> None:
    """Without items of one side (for covariances: with a single one) the loss is 0, not nan."""
    some, none = torch.ones(3, 2), torch.zeros(0, 2)
    for own, source in ((some, none), (none, some), (none, none)):
        assert adversarial_loss(critic(), 1, own, source, 1.0).item() == 0.0
        assert coral_loss(own, source).item() == 0.0
    assert coral_loss(some[:1], some).item() == 0.0


def test_a_tower_trained_against_the_critic_hides_the_domain() -> None:
    """Gradient reversal brings two clouds together that are 4 apart, by a learned offset of each domain."""
    generator = torch.Generator().manual_seed(0)
    clouds = [torch.randn(64, 2, generator=generator) + torch.tensor([shift, 0.0]) for shift in (-2.0, 2.0)]
    offset = torch.zeros(2, 2, requires_grad=True)
    made = Critic(2, 2, generator)
    optimizer = torch.optim.Adam([*made.parameters(), offset], lr=0.02)
    for _ in range(600):
        own, source = clouds[1] + offset[1], clouds[0] + offset[0]
        optimizer.zero_grad()
        adversarial_loss(made, 1, own, source, 0.5).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    gap = (clouds[1] + offset[1]).mean(dim=0) - (clouds[0] + offset[0]).mean(dim=0)
    assert float(gap.detach().norm()) < 1.5
