"""Measure a contestant that reads the bytes of a checkpoint and does nothing else. Field of the task: `folder`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consumers.bench.parts.task import Task, answer
from consumers.bench.parts.timing import Timed


def measure(task: Task) -> dict[str, Any]:
    """Read every file of the checkpoint whole, one after the other."""
    files = [path for path in sorted(Path(task.folder).rglob("*")) if path.is_file()]
    with Timed() as timed:
        size = sum(len(path.read_bytes()) for path in files)
    return {"bytes": size, "seconds": timed.wall}


if __name__ == "__main__":
    answer(measure)
