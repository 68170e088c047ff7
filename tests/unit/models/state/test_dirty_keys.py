"""Marks as bits count like marks by key, survive a failed save, and cost nothing once they are saved."""

from __future__ import annotations

import numpy as np

from models.signals.covisitation import mark
from models.state.dirty_keys import DirtyKeys


def set_bits(touched: DirtyKeys, *numbers: int) -> None:
    bits = touched.bits(max(numbers) + 1)
    for number in numbers:
        mark(bits, number)


def saving() -> DirtyKeys:
    """Return marks of a saved table."""
    touched = DirtyKeys()
    touched.take()
    touched.discard()
    return touched


def test_bits_and_keys_are_the_marks() -> None:
    """Keys come ascending and once, also after the array had to grow."""
    touched = saving()
    set_bits(touched, 3, 9, 8)
    set_bits(touched, 9, 5_000)
    touched.update([4, 9])
    touched.drop(7)
    assert touched.take().rows().tolist() == [3, 4, 7, 8, 9, 5_000]
    assert touched.take().rows().tolist() == []


def test_bits_come_again_where_saving_failed() -> None:
    """Bits are marked again after a failed save, for arrays of any lengths."""
    for first, second in (((1, 4_000), (2,)), ((1,), (2, 4_000))):
        touched = saving()
        set_bits(touched, *first)
        touched.take()
        set_bits(touched, *second)
        touched.restore()
        assert touched.take().rows().tolist() == [1, 2, 4_000]


def test_bits_of_a_table_that_was_never_saved_say_nothing() -> None:
    """In a table that was never saved everything is marked, so bits do not count."""
    touched = DirtyKeys()
    set_bits(touched, 3)
    assert touched.take().all
    np.testing.assert_array_equal(touched.take().rows(), [])
