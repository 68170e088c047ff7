"""The transfer equations against numbers worked by hand."""

import math

import pytest
import torch

from models.transfer import (
    bias_terms,
    correct_toward_sources,
    corrected,
    shrinkage_rate,
    source_mean,
    step_fraction,
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
    """One step with 100 events moves as far as four with 25."""
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
    """Mean of rows 0 and 2."""
    biases = torch.tensor([[1.0, 2.0], [9.0, 9.0], [3.0, 6.0]])
    assert source_mean(biases, [0, 2]).tolist() == [2.0, 4.0]


def test_every_domain_layer_is_corrected_in_place() -> None:
    """Sources 0 and 2, target 1, half way; b_s is [2] and [0, 2]: [6] → [4], [2, 0] → [1, 1]."""
    layers = {
        "a": torch.tensor([[1.0], [6.0], [3.0]]),
        "b": torch.tensor([[-1.0, 1.0], [2.0, 0.0], [1.0, 3.0]]),
    }
    correct_toward_sources(layers, 1, [0, 2], 0.5)
    assert layers["a"].tolist() == [[1.0], [4.0], [3.0]]
    assert layers["b"].tolist() == [[-1.0, 1.0], [1.0, 1.0], [1.0, 3.0]]


def test_bias_terms() -> None:
    """‖[3, 4]‖ = 5; its distance to the source's [3, 1] is 3; without a source there is no gap."""
    layers = {"a": torch.tensor([[3.0, 1.0], [3.0, 4.0]])}
    assert bias_terms(layers, 1, [0]) == {"a": 5.0, "a_gap": 3.0}
    assert bias_terms(layers, 1, []) == {"a": 5.0}
