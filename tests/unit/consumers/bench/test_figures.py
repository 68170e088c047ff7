"""Slopes, quantiles and printed numbers agree with numbers worked by hand."""

from __future__ import annotations

import math

import pytest

from consumers.bench.freshness import quantile
from consumers.bench.run.slope import exponent
from consumers.bench.run.table import number


@pytest.mark.parametrize(
    ("sizes", "costs", "expected"),
    [
        pytest.param([10, 100, 1000], [2, 20, 200], 1.0, id="linear"),
        pytest.param([10, 100, 1000], [7, 7, 7], 0.0, id="constant"),
        pytest.param([1, 4], [1, 2], 0.5, id="square root"),
        # logarithms to base 10: (0, 0), (1, 1), (2, 1); slope (1 · 2/3 + 1 · 1/3) / 2
        pytest.param([1, 10, 100], [1, 10, 10], 0.5, id="not on a line"),
    ],
)
def test_exponent(sizes: list[float], costs: list[float], expected: float) -> None:
    """The slope of the least-squares line through the logarithms."""
    assert exponent(sizes, costs) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("sizes", "costs"),
    [
        pytest.param([10], [1], id="one size"),
        pytest.param([10, 10], [1, 2], id="one size twice"),
        pytest.param([1, 2], [0, 1], id="no cost"),
    ],
)
def test_no_slope(sizes: list[float], costs: list[float]) -> None:
    """No line goes through one size, or through values without a logarithm."""
    with pytest.raises(ValueError, match="no slope"):
        exponent(sizes, costs)


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        pytest.param(0.25, 0.5, id="half of the first bucket"),
        pytest.param(0.5, 1.0, id="its end"),
        pytest.param(0.7, 2.0, id="half of the second"),
        pytest.param(0.99, 3.0, id="beyond the last bound"),
    ],
)
def test_quantile(share: float, expected: float) -> None:
    """A quantile is linear within its bucket: five of ten observations are up to 1 s, four up to 3 s, one beyond."""
    assert quantile({1.0: 5.0, 3.0: 9.0, math.inf: 10.0}, share) == pytest.approx(expected)


def test_quantile_of_nothing() -> None:
    """Without an observation there is no quantile."""
    assert math.isnan(quantile({1.0: 0.0, math.inf: 0.0}, 0.5))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(143_210.4, "143,210", id="large"),
        pytest.param(18.26, "18.3", id="small"),
        pytest.param(0.00283, "0.0028", id="tiny"),
        pytest.param(None, "–", id="none"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    """Numbers show two or three significant digits."""
    assert number(value) == text
