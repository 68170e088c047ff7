"""Marks as bits: they count like those by key, survive a save that failed, and cost nothing once they are saved."""

from __future__ import annotations

import numpy as np

from models.signals.covisitation import mark
from models.state.dirty_keys import DirtyKeys


def set_bits(touched: DirtyKeys, *numbers: int) -> None:
    bits = touched.bits(max(numbers) + 1)
    for number in numbers:
        mark(bits, number)


def saving() -> DirtyKeys:
    """Marks of a table that is saved."""
    touched = DirtyKeys()
    touched.take()
    touched.discard()
    return touched


def test_bits_and_keys_are_the_marks() -> None:
    """Ascending and once, also after the array had to grow."""
    touched = saving()
    set_bits(touched, 3, 9, 8)
    set_bits(touched, 9, 5_000)
    touched.update([4, 9])
    touched.drop(7)
    assert touched.take().rows().tolist() == [3, 4, 7, 8, 9, 5_000]
    assert touched.take().rows().tolist() == []


def test_bits_come_again_where_saving_failed() -> None:
    """Whichever array is longer."""
    for first, second in (((1, 4_000), (2,)), ((1,), (2, 4_000))):
        touched = saving()
        set_bits(touched, *first)
        touched.take()
        set_bits(touched, *second)
        touched.restore()
        assert touched.take().rows().tolist() == [1, 2, 4_000]


def test_bits_of_a_table_that_was_never_saved_say_nothing() -> None:
    """All of it is marked anyway."""
    touched = DirtyKeys()
    set_bits(touched, 3)
    assert touched.take().all
    np.testing.assert_array_equal(touched.take().rows(), [])
