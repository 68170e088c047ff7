"""Write a checkpoint of filled learners, for `restart` and `read_bytes`. Fields: `users`, `items`, `folder`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consumers.bench.filling.filled import DOMAINS, filled
from consumers.bench.parts.task import Task, answer
from consumers.bench.parts.timing import Timed, peak_gb
from models.arms.arm_comparison import ArmComparison
from models.state.checkpoint import CheckpointDirectory, snapshot
from models.threads import use_one_thread
from serving.publication.publication_queue import PublicationQueue


def live(arms: ArmComparison, queue: PublicationQueue) -> dict[str, Any]:
    """Return the tables of learners and lists, as they are in a checkpoint of `run`."""
    return {"arms": arms.live(), "outbox": queue.live([])}


def measure(task: Task) -> dict[str, Any]:
    """Return the bytes that were written, and the seconds it took."""
    use_one_thread()
    arms, queue = filled(task.users, task.items // len(DOMAINS))
    with Timed() as timed:
        path = CheckpointDirectory(Path(task.folder)).save(snapshot(live(arms, queue) | {"offsets": []}))
    size = sum(file.stat().st_size for file in path.iterdir())
    return {"bytes": size, "seconds": timed.wall, "peak_gb": peak_gb()}


if __name__ == "__main__":
    answer(measure)
