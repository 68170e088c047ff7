"""Compute with one thread, so that sums have the same order every time and a core is free for other work."""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_limits


def use_one_thread() -> None:
    """Limit torch, BLAS and OpenMP to one thread each. For small matrices a second thread costs more than it saves."""
    torch.set_num_threads(1)
    threadpool_limits(1)
