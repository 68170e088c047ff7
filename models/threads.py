"""One computing thread: the same sums in the same order every time, and a core left for the rest."""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_limits


def use_one_thread() -> None:
    """For torch, BLAS and OpenMP alike. Small matrices gain nothing from a second thread, and lose to its waiting."""
    torch.set_num_threads(1)
    threadpool_limits(1)
