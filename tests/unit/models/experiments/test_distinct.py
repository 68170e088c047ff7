"""Distinct items are counted within a few percent, whatever comes twice, and sets can be joined."""

from __future__ import annotations

import numpy as np
import pytest

from models.experiments.distinct import Distinct
from models.tables.catalogue import item_hash

HASHES = np.array([item_hash(str(n)) for n in range(50_000)])


@pytest.mark.parametrize("count", [1, 30, 1_000, 5_000, 50_000])
def test_within_four_standard_errors(count: int) -> None:
    one = Distinct()
    for _ in range(2):
        for part in np.array_split(HASHES[:count], 7):
            one.add(part)
    assert one.size == pytest.approx(count, rel=0.092, abs=1)


def test_joined_sets_are_the_set_of_all() -> None:
    first, second, both = Distinct(), Distinct(), Distinct()
    first.add(HASHES[:3000])
    second.add(HASHES[2000:9000])
    both.add(HASHES[:9000])
    first.join(second)
    assert np.array_equal(first.registers, both.registers)
