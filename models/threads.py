"""Compute with a known number of threads: one for sums whose order must not change, several for independent tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

Task = Callable[[], object]
Result = TypeVar("Result")


def nothing() -> None:
    """Do nothing, where a task may be wanted."""


def use_one_thread() -> None:
    """Limit torch, BLAS and OpenMP to one thread each. For small matrices a second thread costs more than it saves."""
    torch.set_num_threads(1)
    threadpool_limits(1)


def cut(count: int, parts: int) -> list[slice]:
    """Cut `count` rows into slices of about equal length.

    >>> cut(10, 2)
    [slice(0, 5, None), slice(5, 10, None)]
    """
    return [slice(a, b) for a, b in pairwise(count * n // parts for n in range(parts + 1))]


class Workers:
    """Threads for independent tasks, at most `threads` at once. The caller's thread is one of them.

    Tasks that compute in compiled code, which releases the interpreter's lock, run at the same time.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads - 1, "compute") if threads > 1 else None

    def run(self, tasks: Sequence[Callable[[], Result]]) -> list[Result]:
        """Run tasks in any order, wait for all of them, and return their results in the order of the tasks.

        Raises what a task raises, after the others have ended.
        """
        if self._pool is None or len(tasks) < 2:
            return [task() for task in tasks]
        others = [self._pool.submit(task) for task in tasks[1:]]
        try:
            first = tasks[0]()
            # Those that no thread has begun
            mine = {n: tasks[n]() for n, future in enumerate(others, 1) if future.cancel()}
        finally:
            wait([future for future in others if not future.cancel()])
        return [first, *(mine[n] if n in mine else future.result() for n, future in enumerate(others, 1))]

    def start(self, task: Callable[[], Result]) -> Callable[[], Result]:
        """Start a task beside what the caller goes on with. Return what waits for its result.

        With one thread it is run at once.
        """
        if self._pool is None:
            result = task()
            return lambda: result
        future = self._pool.submit(task)
        return lambda: task() if future.cancel() else future.result()

    def slices(self, count: int, least: int) -> list[slice]:
        """Cut `count` rows into a slice for each thread, of at least `least` rows each. There is at least one slice.

        >>> Workers(2).slices(10, 4), Workers(2).slices(7, 4)
        ([slice(0, 5, None), slice(5, 10, None)], [slice(0, 7, None)])
        """
        return cut(count, max(1, min(self.threads, count // least)))


ALONE = Workers()
"""The caller's thread alone."""
