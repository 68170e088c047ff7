"""The examination curve from swaps: right whatever the items are worth, and kept as it was where nothing tells it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.exposure.examination import RANKS, Examination, as_pairs, fitted, prior_curve
from tests.support.shown_lists import FOLD, Lists, learned_curve

Floats = NDArray[np.float64]


def learned(truth: Floats, lists: int, temperature: float, base: float) -> Examination:
    return learned_curve(truth, Lists(lists, temperature, base))[0]


@pytest.mark.parametrize("truth", [np.arange(1.0, RANKS + 1) ** -0.4, FOLD], ids=["power", "fold"])
def test_swaps_tell_the_curve(truth: Floats) -> None:
    """Within 15 % at every rank after 12,000 lists with many clicks, in the common curve and in each domain's."""
    found = learned(truth, 12_000, 0.2, -0.5)
    assert found.identified
    for curve in (found.pooled, found.curve(0), found.curve(1)):
        assert np.abs(curve / truth - 1).max() < 0.15
    assert np.abs(prior_curve() / truth - 1).max() > 0.4  # the prior would not pass


def test_a_fixed_order_tells_nothing() -> None:
    """Where no other order was possible, the prior stays, whatever is clicked."""
    found = learned(FOLD, 300, 0.001, -0.5)
    assert not found.identified
    np.testing.assert_array_equal(found.curve(0), prior_curve())


def test_pairs_of_a_curve_give_the_curve() -> None:
    np.testing.assert_allclose(fitted(as_pairs(FOLD, 10.0)), FOLD / FOLD[0], rtol=2e-2)


def test_the_state_is_kept() -> None:
    found, again = learned(FOLD, 200, 0.2, 0.0), Examination(2)
    again.load(found.state())
    np.testing.assert_array_equal(again.curve(1), found.curve(1))
