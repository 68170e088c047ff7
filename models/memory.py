"""Return free memory to the operating system."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Return the free memory in malloc's heaps to the system, with glibc. Elsewhere do nothing.

    Large copies, of a checkpoint or of a shadow network, leave free blocks behind. Glibc keeps them, and resident
    memory grows to twice the memory in use.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
