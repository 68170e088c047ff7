"""Memory that is free again goes back to the system."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """What is free inside malloc's heaps, with glibc; elsewhere nothing happens.

    Large copies that come and go, of a checkpoint or of a rival network, leave holes between what stays; glibc keeps
    them, and resident memory creeps up to twice of what is in use.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
