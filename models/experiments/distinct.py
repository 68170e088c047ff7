"""Count distinct items in little memory: HyperLogLog (Flajolet et al. 2007)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REGISTERS = 2048
"""The standard error is 1.04 / √2048 = 2.3 %, in 2 KB."""
_BITS = 11
_ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)


class Distinct:
    """A set of hashes of which only the size is known. Sets of several shards are joined by the larger registers."""

    def __init__(self, registers: NDArray[np.uint8] | None = None) -> None:
        self.registers = np.zeros(REGISTERS, np.uint8) if registers is None else registers

    def add(self, hashes: NDArray[np.int64]) -> None:
        """Add hashes, (n,). Each bit of them must be as good as random."""
        words = hashes.view(np.uint64)
        rest = words >> np.uint64(_BITS)  # 53 bits, which a float holds exactly
        rank = (54 - np.frexp(rest.astype(np.float64))[1]).astype(np.uint8)
        np.maximum.at(self.registers, (words & np.uint64(REGISTERS - 1)).astype(np.int64), rank)

    def join(self, other: Distinct) -> None:
        """Add what another set holds."""
        np.maximum(self.registers, other.registers, out=self.registers)

    @property
    def size(self) -> int:
        """About how many distinct hashes were added.

        >>> some = Distinct()
        >>> some.size
        0
        >>> some.add(np.array([1, 2, 3, 1]) * 0x1234567890ABCDEF)
        >>> some.size
        3
        """
        powers = np.ldexp(1.0, -self.registers.astype(np.int64))
        estimate = _ALPHA * REGISTERS**2 / float(powers.sum())
        empty = int(np.count_nonzero(self.registers == 0))
        if empty and estimate <= 2.5 * REGISTERS:
            estimate = REGISTERS * float(np.log(REGISTERS / empty))  # linear counting, for small sets
        return round(estimate)
