"""Show how far a long command is: bars on a terminal; elsewhere a line on stderr every ten seconds."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

EVERY = 10.0
"""Seconds between two lines."""
BYTES = "bytes"
"""Unit of tasks that read files; they are told in MB."""


def bars(console: Console, *columns: ProgressColumn, transient: bool = True) -> Progress:
    """Return progress bars; without a terminal, lines on stderr.

    columns: those of the bars, if they are not the usual ones. transient: whether the bars vanish when done.

    Tasks may have these fields: `unit`, the name of their steps; `group`, equal for tasks that begin together; `stage`,
    what a task is doing.
    """
    if not console.is_terminal:
        return Lines()
    usual = (
        TextColumn("{task.description:24}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*(columns or usual), console=console, transient=transient)


class Lines(Progress):
    """Progress as lines: how many steps are done of all, which tasks run, and about how long the rest takes."""

    def __init__(self, every: float = EVERY, file: TextIO | None = None) -> None:
        """every: seconds between lines. file: where they go; None: stderr."""
        super().__init__(disable=True)
        self._every, self._file = every, file
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def start(self) -> None:
        """Begin to write lines, beside what is done."""
        self._thread.start()

    def stop(self) -> None:
        """Write no more lines."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _tell(self) -> None:
        while not self._ended.wait(self._every):
            if line := line_of(self.tasks, time.monotonic()):
                print(line, file=self._file or sys.stderr, flush=True)


def line_of(tasks: list[Task], now: float) -> str:
    """Return how far the latest unfinished task and its group are; "" if every task is finished.

    now: of the clock of the tasks, which is monotonic. A group's steps are taken to be equally fast.

    Two passes over 400 events began 30 s ago: `100 of 800 events, about 3 min left: full 0 100, network 0 0`.
    """
    latest = next((task for task in reversed(tasks) if not task.finished), None)
    if latest is None:
        return ""
    group = [task for task in tasks if _group_of(task) == _group_of(latest)]
    done, total = sum(task.completed for task in group), sum(task.total or 0 for task in group)
    unit = str(latest.fields.get("unit", ""))
    seconds = now - min(task.start_time or now for task in group)
    of_all = f" of {_count(total, unit)}" if total else ""
    steps = f"{_count(done, unit)}{of_all} {'MB' if unit == BYTES else unit}".rstrip()
    if not done and not total:
        return f"{_name(latest)}: begun {_span(seconds)} ago"
    rest = f", about {_span(seconds * (total - done) / done)} left" if 0 < done < total else ""
    line = f"{steps} after {_span(seconds)}{rest}"
    if len(group) == 1:
        return f"{_name(latest)}: {line}"
    running = [f"{_name(task)} {_count(task.completed, unit)}" for task in group if _runs(task)]
    return ": ".join([line, *filter(None, [", ".join(running)])])


def _group_of(task: Task) -> Any:
    return task.fields.get("group", task.id)


def _runs(task: Task) -> bool:
    return task.completed > 0 and not task.finished


def _name(task: Task) -> str:
    return " ".join(filter(None, [task.description.strip(), str(task.fields.get("stage", ""))]))


def _count(steps: float, unit: str) -> str:
    return f"{steps / 1e6:,.1f}" if unit == BYTES else f"{steps:,.0f}"


def _span(seconds: float) -> str:
    """Return seconds up to two minutes, then minutes, and hours beyond two hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
