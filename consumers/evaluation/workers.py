"""Run passes over the events, two processes at a time, with a progress bar each."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, MutableMapping, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from functools import partial
from multiprocessing.managers import SyncManager
from typing import NamedTuple, TypeVar

from rich.progress import Progress

WORKERS = 2
Tell = Callable[[int], None]
"""A function that is called with the number of steps that are done."""


class Steps(NamedTuple):
    """The steps of each run: how many, what one is, and what a run does after some of them."""

    number: int
    unit: str = "events"
    stage: Callable[[int], str] = lambda _: ""


Run = TypeVar("Run")
Result = TypeVar("Result")


def run_all(
    work: Callable[[Run, Tell], Result],
    runs: Sequence[Run],
    names: Sequence[str],
    steps: Steps,
    bars: Progress,
) -> list[Result]:
    """Run `work(run, tell)` for each run in a worker process, on one thread; return the results in order.

    work: a function of a module's top level, or a `partial` of one. It imports large packages itself, so that the
    parent need not. names, steps: those of the bars. Raises what the first failing run raised.
    """
    # spawn: a forked child would inherit torch's and BLAS's thread pools in an unusable state
    context = multiprocessing.get_context("spawn")
    manager = SyncManager(ctx=context)
    manager.start(end_with_parent)
    with manager:
        done_steps = manager.dict()
        with ProcessPoolExecutor(WORKERS, context, end_with_parent) as pool:
            futures = [pool.submit(_work, work, run, n, done_steps) for n, run in enumerate(runs)]
            group = tuple(names)
            tasks = [bars.add_task(name, total=steps.number, unit=steps.unit, group=group) for name in names]
            pending = set(futures)
            while pending:
                done, pending = wait(pending, timeout=0.5)
                for n, (task, future) in enumerate(zip(tasks, futures, strict=True)):
                    count = steps.number if future.done() else done_steps.get(n, 0)
                    bars.update(task, completed=count, stage=steps.stage(count))
                for future in done:
                    if error := future.exception():
                        raise error
            return [future.result() for future in futures]


def end_with_parent() -> None:
    """End this process when its parent ends. A killed parent cleans up nothing, and workers would run for hours."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(
    work: Callable[[Run, Tell], Result], run: Run, number: int, done_steps: MutableMapping[int, int]
) -> Result:
    """Run one pass in a worker process."""
    from models.threads import use_one_thread  # noqa: PLC0415

    use_one_thread()
    return work(run, partial(done_steps.__setitem__, number))
