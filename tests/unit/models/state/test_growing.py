"""Arrays by row that grow together."""

from __future__ import annotations

import numpy as np
import pytest

from models.state.growing import LEAST, Growing


@pytest.mark.parametrize("steps", [[1], [LEAST, LEAST + 1], [5, 1000, 7]])
def test_new_rows_hold_the_fill_and_old_ones_what_was_written(steps: list[int]) -> None:
    table = Growing(small=((2,), np.int8(-1)), wide=((), 0.0))
    for step in steps:
        table.reserve(step)
        table.arrays["small"][step - 1], table.arrays["wide"][step - 1] = 3, step
    assert len(table) >= max(steps)
    assert table.arrays["small"].dtype == np.int8
    written = np.zeros(len(table), np.bool_)
    written[np.array(steps) - 1] = True
    assert (table.arrays["small"][written] == 3).all()
    assert (table.arrays["small"][~written] == -1).all()
    assert table.arrays["wide"][written].tolist() == sorted(steps)
    assert not table.arrays["wide"][~written].any()


def test_room_grows_by_an_eighth() -> None:
    """Most of the time one more row costs no copy."""
    table, copies = Growing(x=((), 0)), 0
    for rows in range(1, 5000):
        held = table.arrays["x"]
        table.reserve(rows)
        copies += table.arrays["x"] is not held
    assert copies < 45
    assert len(table) < 1.125 * 5000


def test_it_takes_copies_in_its_own_types() -> None:
    table, given = Growing(x=((), 0.0)), np.arange(3, dtype=np.float32)
    table.load(x=given)
    given[:] = 9
    assert table.arrays["x"].tolist() == [0, 1, 2]
    assert table.arrays["x"].dtype == np.float64
