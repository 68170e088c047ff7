"""Prequential errors: means over everything and fading ones, by domain, metric and arm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.assessment.prequential import (
    FADE,
    HALF_LIFE,
    NDCG,
    NDCG_LOSS,
    RMSE,
    Mean,
    Prequential,
    ndcg_losses,
)


def test_ndcg_is_the_formula() -> None:
    """1 / log2(rank + 2) for the first ten ranks, 0 from there on."""
    assert len(NDCG) == 10
    wanted = [1 - 1 / math.log2(rank + 2) for rank in range(10)]
    np.testing.assert_allclose(ndcg_losses(np.arange(10)), wanted, atol=1e-8)
    np.testing.assert_array_equal(ndcg_losses(np.array([10, 11, 10**6, -1])), [1, 1, 1, np.nan])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=50))
def test_means_are_the_formulas(values: list[float]) -> None:
    """The overall mean, and the one whose weights halve every HALF_LIFE values."""
    mean = Mean()
    for some in (values[:7], values[7:]):
        mean.add(np.array(some))
    weights = [0.5 ** (age / HALF_LIFE) for age in reversed(range(len(values)))]
    assert mean.overall() == pytest.approx(sum(values) / len(values))
    assert mean.fading() == pytest.approx(
        sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    )


def test_fading_forgets() -> None:
    """After a half-life of other values, half of the weight is on them."""
    mean = Mean()
    mean.add(np.ones(20_000))
    mean.add(np.zeros(int(HALF_LIFE)))
    assert mean.fading() == pytest.approx(0.5, abs=1e-3)
    assert pytest.approx(0.5) == FADE**HALF_LIFE


def test_rmse_takes_the_root() -> None:
    """Squared errors go in; other metrics come back as they are."""
    kept = Prequential()
    kept.add("d", RMSE, "full", np.array([1.0, 9.0]))
    kept.add("d", NDCG_LOSS, "full", np.array([1.0, 9.0]))
    assert kept.error("d", RMSE, "full", overall=True) == pytest.approx(5**0.5)
    assert kept.error("d", NDCG_LOSS, "full", overall=True) == pytest.approx(5.0)


def test_nothing_is_known_before_the_first() -> None:
    """None, not 0: an error of 0 would be perfect."""
    kept = Prequential()
    assert kept.error("d", RMSE, "full") is None
    assert kept.gain("d", RMSE) is None
    assert kept.count("d", RMSE, "full") == 0
    kept.add("d", RMSE, "full", np.array([1.0]))
    assert kept.gain("d", RMSE) is None


def test_gain_is_target_only_minus_full() -> None:
    """Positive where transfer helps."""
    kept = Prequential()
    kept.add("d", RMSE, "full", np.array([1.0]))
    kept.add("d", RMSE, "target_only", np.array([4.0]))
    assert kept.gain("d", RMSE) == kept.gain("d", RMSE, overall=True) == pytest.approx(1.0)


def test_keys_count_apart() -> None:
    """Domains, metrics and arms do not mix."""
    kept = Prequential()
    kept.add("a", RMSE, "full", np.array([1.0]))
    kept.add("b", RMSE, "full", np.array([4.0]))
    kept.add("a", NDCG_LOSS, "full", np.array([0.5]))
    kept.add("a", RMSE, "target_only", np.array([9.0]))
    assert kept.error("a", RMSE, "full") == pytest.approx(1.0)
    assert kept.count("a", RMSE, "full") == 1
    assert len(kept.measured()) == 4


def test_state_round_trips() -> None:
    """The copy goes on exactly alike."""
    one, two = Prequential(), Prequential()
    for n in range(30):
        one.add("d", RMSE, "full", np.array([n % 7]))
        one.add("d-2", NDCG_LOSS, "target_only", np.array([0.1 * n]))
    two.load(one.state())
    for kept in (one, two):
        kept.add("d", RMSE, "full", np.array([3.3]))
    assert one.state() == two.state()
    assert one.measured() == two.measured()
