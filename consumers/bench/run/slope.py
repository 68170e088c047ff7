"""Say in one number how cost grows with size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return b of cost = a · size^b by least squares on the logarithms: 0 for constant cost, 1 for linear.

    Raises ValueError for fewer than two different sizes, and for values without a logarithm.
    """
    if len(set(sizes)) < 2 or min(*sizes, *costs) <= 0:
        raise ValueError(f"no slope through sizes {list(sizes)} and costs {list(costs)}")
    x, y = np.log(np.array(sizes, np.float64)), np.log(np.array(costs, np.float64))
    x -= x.mean()
    return float((x * (y - y.mean())).sum() / (x * x).sum())
