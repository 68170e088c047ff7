"""Take up the arrays of a loaded state without copying them, where whoever loaded it gives them away.

A large state would otherwise be in memory twice during a start, and copying it takes as long as reading it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

_GIVEN = ContextVar("given", default=False)


@contextlib.contextmanager
def given_away() -> Iterator[None]:
    """Let `taken` return arrays themselves. The caller must not read their state afterwards."""
    token = _GIVEN.set(True)
    try:
        yield
    finally:
        _GIVEN.reset(token)


def taken(array: NDArray[Any], dtype: Any = None) -> NDArray[Any]:
    """Return a copy of a state's array, or within `given_away` the array itself if it can be written to.

    dtype: of the result, default that of the array.

    >>> state = np.array([1, 2])
    >>> taken(state) is state
    False
    >>> with given_away():
    ...     taken(state) is state
    True
    """
    free = _GIVEN.get() and array.flags.writeable and array.flags.c_contiguous
    return np.ascontiguousarray(array, dtype) if free else np.array(array, dtype, order="C")
