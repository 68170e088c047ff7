"""Memory that is freed inside the heap goes back to the system."""

from __future__ import annotations

import platform

import numpy as np
import pytest

from models.memory import give_back
from tests.support.memory import resident


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_holes_between_what_stays_go_back() -> None:
    arrays = [np.ones(100_000, np.uint8) for _ in range(800)]
    kept = arrays[::2]
    del arrays
    before = resident()
    give_back()
    assert before - resident() > 20e6
    assert all(array.all() for array in kept)
