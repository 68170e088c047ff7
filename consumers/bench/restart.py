"""Measure a contestant: a new process loads a checkpoint of many users. Fields: `users`, `items`, `folder`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from consumers.bench.filling.filled import DOMAINS, made
from consumers.bench.filling.write_checkpoint import live
from consumers.bench.parts.task import Task, answer
from consumers.bench.parts.timing import Timed, peak_gb
from models.state.checkpoint import CheckpointDirectory
from models.state.given_state import given_away
from models.state.snapshot import mark_clean
from models.threads import use_one_thread


def measure(task: Task) -> dict[str, Any]:
    """Return the seconds that each part took, without imports."""
    use_one_thread()
    arms, queue = made(task.users, task.items // len(DOMAINS))
    with Timed() as whole:
        with Timed() as read:
            state, problems = CheckpointDirectory(Path(task.folder), read_only=True).load()
        if state is None:
            raise RuntimeError(f"{task.folder}: no checkpoint to read {problems}")
        with Timed() as learners, given_away():
            arms.load(state["arms"])
        with Timed() as lists, given_away():
            queue.load(state["outbox"])
        with Timed() as compared:
            mark_clean(live(arms, queue), state)
    return {
        "users": len(arms.full.users),
        "seconds": whole.wall,
        "read_seconds": read.wall,
        "learners_seconds": learners.wall,
        "lists_seconds": lists.wall,
        "compared_seconds": compared.wall,
        "peak_gb": peak_gb(),
    }


if __name__ == "__main__":
    answer(measure)
