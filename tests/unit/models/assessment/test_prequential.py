"""Prequential errors are overall and fading means, by domain, metric and arm."""

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
    Prequential,
    ndcg_losses,
)


def test_ndcg_is_the_formula() -> None:
    """1 / log2(rank + 2) for the first ten ranks, 0 from there on."""
    assert len(NDCG) == 10
    wanted = [1 - 1 / math.log2(rank + 2) for rank in range(10)]
    np.testing.assert_allclose(ndcg_losses(np.arange(10)), wanted, atol=1e-8)
    np.testing.assert_array_equal(ndcg_losses(np.array([10, 11, 10**6, -1])), [1, 1, 1, np.nan])


def add(kept: Prequential, key: tuple[str, str, str], *values: float) -> None:
    kept.add(np.full(len(values), kept.row(*key)), np.array(values))


ERROR = ("d", NDCG_LOSS, "full")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=50))
def test_means_are_the_formulas(values: list[float]) -> None:
    """The overall mean, and the one whose weights halve every HALF_LIFE values; nan is no value."""
    kept = Prequential()
    add(kept, ERROR, *values[:7], math.nan)
    add(kept, ERROR, *values[7:])
    weights = [0.5 ** (age / HALF_LIFE) for age in reversed(range(len(values)))]
    assert kept.error(*ERROR, overall=True) == pytest.approx(sum(values) / len(values))
    assert kept.error(*ERROR) == pytest.approx(
        sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    )
    assert kept.count(*ERROR) == len(values)


def test_fading_forgets() -> None:
    """After a half-life of other values, half of the weight is on them."""
    kept = Prequential()
    add(kept, ERROR, *[1.0] * 20_000, *[0.0] * int(HALF_LIFE))
    assert kept.error(*ERROR) == pytest.approx(0.5, abs=1e-3)
    assert pytest.approx(0.5) == FADE**HALF_LIFE


def test_rmse_takes_the_root() -> None:
    """Squared errors go in; other metrics come back as they are."""
    kept = Prequential()
    add(kept, ("d", RMSE, "full"), 1.0, 9.0)
    add(kept, ("d", NDCG_LOSS, "full"), 1.0, 9.0)
    assert kept.error("d", RMSE, "full", overall=True) == pytest.approx(5**0.5)
    assert kept.error("d", NDCG_LOSS, "full", overall=True) == pytest.approx(5.0)


def test_nothing_is_known_before_the_first() -> None:
    """Before the first event the error is None, because 0 would be perfect."""
    kept = Prequential()
    assert kept.error("d", RMSE, "full") is None
    assert kept.gain("d", RMSE) is None
    assert kept.count("d", RMSE, "full") == 0
    add(kept, ("d", RMSE, "full"), 1.0)
    assert kept.gain("d", RMSE) is None


def test_gain_is_target_only_minus_full() -> None:
    """The gain is positive if transfer helps."""
    kept = Prequential()
    add(kept, ("d", RMSE, "full"), 1.0)
    add(kept, ("d", RMSE, "target_only"), 4.0)
    assert kept.gain("d", RMSE) == kept.gain("d", RMSE, overall=True) == pytest.approx(1.0)


def test_keys_count_apart() -> None:
    """Errors of different domains, metrics and arms do not mix."""
    kept = Prequential()
    add(kept, ("a", RMSE, "full"), 1.0)
    add(kept, ("b", RMSE, "full"), 4.0)
    add(kept, ("a", NDCG_LOSS, "full"), 0.5)
    add(kept, ("a", RMSE, "target_only"), 9.0)
    assert kept.error("a", RMSE, "full") == pytest.approx(1.0)
    assert kept.count("a", RMSE, "full") == 1
    assert len(kept.measured()) == 4


def test_state_round_trips() -> None:
    """A loaded copy goes on with the same values."""
    one, two = Prequential(), Prequential()
    for n in range(30):
        add(one, ("d", RMSE, "full"), n % 7)
        add(one, ("d-2", NDCG_LOSS, "target_only"), 0.1 * n)
    two.load(one.state())
    for kept in (one, two):
        add(kept, ("d", RMSE, "full"), 3.3)
    assert one.state() == two.state()
    assert one.measured() == two.measured()
