"""Measure wall time, CPU time and memory."""

from __future__ import annotations

import resource
import time
from typing import Self


class Timed:
    """Seconds of a block: `wall`, `cpu` of the whole process, and `thread` of the calling thread."""

    wall = cpu = thread = 0.0

    def __enter__(self) -> Self:
        self._begun = time.thread_time(), time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        thread, cpu, wall = self._begun
        self.wall = time.perf_counter() - wall
        self.cpu = time.process_time() - cpu
        self.thread = time.thread_time() - thread

    def __str__(self) -> str:
        return f"{1e3 * self.wall:.0f} ms ({1e3 * self.thread:.0f} ms of CPU)"


def peak_gb() -> float:
    """Return the peak resident memory of this process, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
