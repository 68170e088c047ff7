"""The transfer equations agree with numbers worked by hand."""

import math

import pytest
import torch

from models.transfer.equations import (
    adapted,
    bias_corrected,
    bias_direction,
    bias_terms,
    corrected,
    correction_loss,
    shared,
    shrinkage_rate,
    source_mean,
    source_weights,
    step_fraction,
    total_loss,
    transfer_loss,
    uncertainty_weighted,
)


def test_transfer_loss_weighs_the_target() -> None:
    """2 + 0.5 · 3 = 3.5"""
    assert transfer_loss(torch.tensor(2.0), torch.tensor(3.0), 0.5).item() == pytest.approx(3.5)


def test_uncertainty_weighting() -> None:
    """exp(-ln 2) · 4 + ln 2 / 2 = 2.3466; the best s for a loss of 4 is ln 8: there the slope is zero."""
    s = torch.tensor(math.log(2.0))
    assert uncertainty_weighted(torch.tensor(4.0), s).item() == pytest.approx(2 + math.log(2) / 2)
    s = torch.tensor(math.log(8.0), requires_grad=True)
    uncertainty_weighted(torch.tensor(4.0), s).backward()
    assert s.grad is not None
    assert s.grad.item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("n", "rate"), [(0, 1.0), (100, 0.5), (300, 0.25)])
def test_shrinkage_fades_with_target_events(n: int, rate: float) -> None:
    """κ = 100: 100 / (100 + n)"""
    assert shrinkage_rate(100.0, n) == pytest.approx(rate)


def test_no_shrinkage_without_kappa() -> None:
    """κ = 0 switches the correction off, for an empty target too."""
    assert shrinkage_rate(0.0, 0) == 0.0


def test_step_fraction() -> None:
    """rate 0.75 per 256 events: 128 of them take 1 - √0.25 = 0.5; none take nothing; all take it whole."""
    assert step_fraction(0.75, 128) == pytest.approx(0.5)
    assert step_fraction(0.75, 256) == pytest.approx(0.75)
    assert step_fraction(0.75, 0) == 0.0
    assert step_fraction(1.0, 0) == 0.0
    assert step_fraction(1.0, 1) == 1.0


def test_correction_does_not_depend_on_the_load() -> None:
    """One step with 100 events moves as far as four steps with 25."""
    target, source = torch.tensor([3.0, -1.0]), torch.tensor([1.0, 1.0])
    once = corrected(target, source, step_fraction(0.3, 100))
    for _ in range(4):
        target = corrected(target, source, step_fraction(0.3, 25))
    torch.testing.assert_close(once, target)


def test_corrected() -> None:
    """[3, -1] - ([3, -1] - [1, 1]) · 0.25 = [2.5, -0.5]"""
    out = corrected(torch.tensor([3.0, -1.0]), torch.tensor([1.0, 1.0]), 0.25)
    assert out.tolist() == [2.5, -0.5]


def test_source_mean() -> None:
    """Rows 0 and 2 with weights 0.25 and 0.75: [0.25 · 1 + 0.75 · 3, 0.25 · 2 + 0.75 · 6]; one source: its row."""
    biases = torch.tensor([[1.0, 2.0], [9.0, 9.0], [3.0, 6.0]])
    assert source_mean(biases, {0: 0.25, 2: 0.75}).tolist() == [2.5, 5.0]
    assert source_mean(biases, {2: 1.0}).tolist() == [3.0, 6.0]


def test_source_weights_by_inverse_divergence() -> None:
    """d = 1 and 3: 1 : 1/3, so 3/4 and 1/4; the same in any unit."""
    assert source_weights({0: 1.0, 2: 3.0}) == pytest.approx({0: 0.75, 2: 0.25})
    assert source_weights({0: 1e-3, 2: 3e-3}) == pytest.approx({0: 0.75, 2: 0.25})


def test_no_source_weighs_more_than_its_divergence_can_tell() -> None:
    """d = 0 and 2: the mean is 1, so 0 counts as 0.1, and 10 : 0.5 gives 20/21 and 1/21."""
    assert source_weights({0: 0.0, 2: 2.0}) == pytest.approx({0: 20 / 21, 2: 1 / 21})


def test_source_weights_at_the_edges() -> None:
    """Weights are empty without sources, 1 for one source, and equal if all divergences are zero."""
    assert source_weights({}) == {}
    assert source_weights({3: 0.7}) == {3: 1.0}
    assert source_weights({3: 0.0}) == {3: 1.0}
    assert source_weights({0: 0.0, 1: 0.0}) == {0: 0.5, 1: 0.5}


def test_parameter_sharing() -> None:
    """The target's [5, 5] become the source's [1, 2], as values: later changes of either leave the other alone."""
    target, source = torch.tensor([5.0, 5.0]), torch.tensor([1.0, 2.0])
    taken = shared(target, source)
    assert taken.tolist() == [1.0, 2.0]
    source += 1
    assert taken.tolist() == [1.0, 2.0]
    assert target.tolist() == [5.0, 5.0]


def test_bias_direction_is_a_unit_vector() -> None:
    """θ_s = [4, 5], θ_s* = [1, 1]: Δ = [3, 4], ‖Δ‖ = 5, so [0.6, 0.8]."""
    direction = bias_direction(torch.tensor([4.0, 5.0]), torch.tensor([1.0, 1.0]), fade=0.5)
    assert direction.tolist() == pytest.approx([0.6, 0.8])


def test_bias_direction_fades_near_the_optimum() -> None:
    """Δ = [0.03, 0.04] is below ε = 0.5: Δ / 0.5 = [0.06, 0.08]. At Δ = 0 it is 0, and so for a Δ that underflows."""
    best = torch.tensor([1.0, 1.0])
    near = bias_direction(torch.tensor([1.03, 1.04]), best, fade=0.5)
    assert near.tolist() == pytest.approx([0.06, 0.08], abs=1e-6)
    assert bias_direction(best, best).tolist() == [0.0, 0.0]
    tiny = bias_direction(torch.tensor([1e-30, 0.0]), torch.zeros(2))
    assert torch.isfinite(tiny).all()
    assert float(tiny.norm()) < 1e-28


def test_domain_bias_correction() -> None:
    """θ_t = [2, 1], Δ/‖Δ‖ = [0.6, 0.8]: [1.4, 0.2]"""
    moved = bias_corrected(torch.tensor([2.0, 1.0]), torch.tensor([0.6, 0.8]))
    assert moved.tolist() == pytest.approx([1.4, 0.2])


def test_correction_loss_and_its_gradient() -> None:
    """½ ‖[0.6, 0.8]‖² = 0.5, and the gradient is Δ/‖Δ‖ itself; a gradient step with rate 1 is the correction."""
    target, direction = torch.tensor([2.0, 1.0], requires_grad=True), torch.tensor([0.6, 0.8])
    loss = correction_loss(target, direction)
    assert loss.item() == pytest.approx(0.5)
    loss.backward()
    assert target.grad is not None
    torch.testing.assert_close(target.grad, direction)
    stepped = target.detach() - target.grad
    torch.testing.assert_close(stepped, bias_corrected(target.detach(), direction))


def test_total_loss() -> None:
    """2 + 0.5 · 3 + 0.2 · 0.5 = 3.6; without a correction it is the transfer loss, 3.5."""
    source, target = torch.tensor(2.0), torch.tensor(3.0)
    assert total_loss(source, target, torch.tensor(0.5), 0.5, 0.2).item() == pytest.approx(3.6)
    assert total_loss(source, target, torch.tensor(0.0), 0.5, 0.2).item() == pytest.approx(3.5)


@pytest.mark.parametrize(
    ("share", "fraction", "expected"),
    [
        (False, 0.0, [3.0, -1.0]),
        (True, 0.0, [1.0, 1.0]),
        (False, 0.25, [2.5, -0.5]),
        (True, 0.25, [1.0, 1.0]),
    ],
)
def test_share_then_correct(share: bool, fraction: float, expected: list[float]) -> None:
    """θ_t = [3, -1], θ_s = [1, 1]: neither, share, a quarter of the way, and sharing leaves nothing to correct."""
    assert adapted(torch.tensor([3.0, -1.0]), torch.tensor([1.0, 1.0]), share, fraction).tolist() == expected


def test_the_combined_procedure_by_hand() -> None:
    """Train source, train target, share, correct, recommend; two steps of gradient descent with rate 0.5.

    L_s = ½ (θ_s - 4)², L_t = ½ (θ_t - 1)², λ = 0.5, γ = 0.2, ε = 0.5, the source's best so far θ_s* = 0.
    Step 1, from θ_s = θ_t = 0. Δ = 0. θ_s = 0 - 0.5 · (-4) = 2; θ_t = 0 - 0.5 · 0.5 · (-1) = 0.25. The target is
    young and takes θ_t = θ_s = 2.
    Step 2. Δ = 2 - 0, direction 1. θ_s = 2 - 0.5 · (-2) = 3; θ_t = 2 - 0.5 · (0.5 · 1 + 0.2 · 1) = 1.65. Corrected
    by 0.2: 1.65 - 0.2 · (1.65 - 3) = 1.92.
    Recommend: user 2, items 1 and -1, score θ_t · item · user: 3.84 above -3.84.
    """
    theta_s, theta_t, best = torch.tensor([0.0]), torch.tensor([0.0]), torch.tensor([0.0])
    for share, fraction, expected in ((True, 0.0, (2.0, 2.0)), (False, 0.2, (3.0, 1.92))):
        source, target = theta_s.clone().requires_grad_(), theta_t.clone().requires_grad_()
        direction = bias_direction(theta_s, best, fade=0.5)
        loss = total_loss(
            0.5 * (source - 4) ** 2, 0.5 * (target - 1) ** 2, correction_loss(target, direction), 0.5, 0.2
        )
        loss.sum().backward()  # type: ignore[no-untyped-call]
        assert source.grad is not None
        assert target.grad is not None
        theta_s = theta_s - 0.5 * source.grad
        theta_t = adapted(theta_t - 0.5 * target.grad, theta_s, share, fraction)
        assert (theta_s.item(), theta_t.item()) == pytest.approx(expected)
    scores = theta_t * torch.tensor([1.0, -1.0]) * 2
    assert scores.tolist() == pytest.approx([3.84, -3.84])


def test_bias_terms() -> None:
    """‖[3, 4]‖ = 5; its distance to the source's [3, 1] is 3; without a source there is no gap."""
    layers = {"a": torch.tensor([[3.0, 1.0], [3.0, 4.0]])}
    assert bias_terms(layers, 1, {0: 1.0}) == {"a": 5.0, "a_gap": 3.0}
    assert bias_terms(layers, 1, {}) == {"a": 5.0}
