"""Measure a contestant: the learner in process, with all domains ranked and the target-only arm on.

Fields of the task: `data`, `events`, `seconds`, `batch`, `threads`. The first tenth of the events is warm-up.
"""

from __future__ import annotations

import time
from typing import Any

from consumers.bench.parts.learning import learn, make_arms
from consumers.bench.parts.stream import load
from consumers.bench.parts.task import Task, answer
from consumers.bench.parts.timing import Timed
from consumers.config.schema import IntakeConfig
from consumers.service.stages.network_pace import NetworkPace
from models.arms.arm_comparison import ArmComparison

CHUNK = 256
"""Events between two looks at the clock."""


def measure(task: Task) -> dict[str, Any]:
    """Learn the stream in micro-batches. `events_per_cpu_second` counts the CPU of the whole process."""
    stream = load(task.data, task.events)
    arms, pace = make_arms(stream, task.threads), NetworkPace(IntakeConfig(), time.perf_counter)
    warm = _learn_some(arms, pace, stream.events[: len(stream.events) // 10], task, task.seconds / 3)
    with Timed() as timed:
        learned = _learn_some(arms, pace, stream.events[warm:], task, task.seconds)
    return {
        "events": learned,
        "warm_up": warm,
        "threads": task.threads,
        "batch": task.batch,
        "events_per_second": learned / timed.wall,
        "events_per_cpu_second": learned / timed.cpu,
    }


def _learn_some(arms: ArmComparison, pace: NetworkPace, events: list[Any], task: Task, seconds: float) -> int:
    """Learn events for this many seconds of CPU; return how many were learned."""
    end, done, step = time.process_time() + seconds, 0, max(CHUNK, task.batch)
    while done < len(events) and time.process_time() < end:
        learn(arms, events[done : done + step], task.batch, pace)
        done = min(done + step, len(events))
    return done


if __name__ == "__main__":
    answer(measure)
