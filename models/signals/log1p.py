"""Compute logarithms in a form that the compiler can turn into vector instructions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel

LN2 = np.float32(np.log(2.0))
_X = np.cos(np.pi * (np.arange(64) + 0.5) / 64) / 2 + 0.5
_EXACT = np.log2(1 + _X) / _X
C0, C1, C2, C3, C4, C5, C6 = np.polynomial.Polynomial.fit(_X, _EXACT, 6).convert().coef.astype(np.float32)
"""log2(1 + m) ≈ m · (C0 + C1 m + … + C6 m⁶) for 0 ≤ m < 1: Chebyshev points, relative error below 1e-6."""


@kernel
def log1p(values: NDArray[np.float32]) -> None:
    """Replace each y ≥ 0 by log(1 + y), (n,), with a relative error of about 1e-6.

    The bits of the float 1 + y hold the exponent e and the mantissa m of `1 + y = 2^e (1 + m)`.

    >>> values = np.array([0, 1, 3], np.float32)
    >>> log1p(values)
    >>> print((values / LN2).round(4))  # log2 of 1, 2 and 4
    [0. 1. 2.]
    """
    bits = values.view(np.int32)
    for n in range(len(values)):
        values[n] += np.float32(1)
    for n in range(len(values)):
        held = bits[n]
        exponent = np.float32((held >> 23) - 127)
        bits[n] = (held & 0x7FFFFF) | 0x3F800000
        m = values[n] - np.float32(1)
        mantissa = m * (C0 + m * (C1 + m * (C2 + m * (C3 + m * (C4 + m * (C5 + m * C6))))))
        values[n] = (exponent + mantissa) * LN2
