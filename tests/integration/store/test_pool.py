"""The evaluation's worker processes return results in order, pass errors on, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.progress import Progress

from consumers.evaluation.workers import Steps, Tell, run_all


def double(number: int, tell: Tell) -> int:
    tell(number)
    if number < 0:
        raise ValueError("below zero")
    return 2 * number


def linger(folder: str, tell: Tell) -> None:
    tell(0)
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(300)


def test_results_come_in_the_order_of_the_runs() -> None:
    """Results keep the order of the runs, and every bar is full."""
    with Progress(disable=True) as bars:
        assert run_all(double, [3, 1, 2], ["a", "b", "c"], Steps(7), bars) == [6, 2, 4]
        assert [task.completed for task in bars.tasks] == [7, 7, 7]


def test_an_error_comes_out() -> None:
    """The caller gets the error that the worker raised."""
    with Progress(disable=True) as bars, pytest.raises(ValueError, match="below zero"):
        run_all(double, [1, -1], ["a", "b"], Steps(1), bars)


def test_a_killed_parent_leaves_no_process(tmp_path: Path) -> None:
    """SIGKILL of the command ends its workers within seconds."""
    code = (
        "from rich.progress import Progress\n"
        "from consumers.evaluation.workers import Steps, run_all\n"
        "from tests.integration.store.test_pool import linger\n"
        "if __name__ == '__main__':\n"
        f"    run_all(linger, [{str(tmp_path)!r}] * 2, ['a', 'b'], Steps(1), Progress(disable=True))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        try:
            until(lambda: len(list(tmp_path.iterdir())) == 2)
        finally:
            parent.send_signal(signal.SIGKILL)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    until(lambda: not any(alive(pid) for pid in workers))


def alive(pid: int) -> bool:
    """A process that has ended and was not waited for does not count as running."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in ("", "Z")


def until(true: Callable[[], bool], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)
