"""Convert numbers to 16 bits and back, as IEEE 754 half precision has them: numba knows no such arrays."""

from __future__ import annotations

import numpy as np

from models.kernels import kernel

HIGHEST = np.float32(65504.0)
WIDER = np.float32(2.0**112)
"""Ratio of the scales of both formats: their exponents count from 127 and from 15."""
NARROWER = np.float32(2.0**-112)


@kernel
def widened(half: int) -> np.float32:
    """Return the number that these 16 bits stand for.

    >>> float(widened(np.uint16(0xC500)))
    -5.0
    """
    bits = np.uint32(half)
    size = np.uint32((bits & np.uint32(0x7FFF)) << np.uint32(13)).view(np.float32) * WIDER
    return -size if bits & np.uint32(0x8000) else size


@kernel
def narrowed(number: float) -> np.uint16:
    """Return the 16 bits of the nearest half-precision number; of ±65504 for one beyond it.

    >>> hex(narrowed(np.float32(-5.0))), float(widened(narrowed(np.float32(0.1))))
    ('0xc500', 0.0999755859375)
    """
    size = min(np.float32(abs(number)), HIGHEST) * NARROWER
    bits = (np.float32(size).view(np.uint32) + np.uint32(0x1000)) >> np.uint32(13)
    return np.uint16(bits | np.uint32(0x8000) if number < 0 else bits)
