"""Measure a contestant: what an event costs with more users and with more items.

Fields of the task: `sizes` (pairs of users and items over all domains), `events`, `seconds`. At each size
learners are filled anew. Users of the events are drawn evenly from all, so no table stays in the processor's cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from consumers.bench.filling.filled import DOMAINS, filled, some_events
from consumers.bench.parts.learning import learn
from consumers.bench.parts.task import Task, answer
from consumers.bench.parts.timing import Timed
from models.threads import use_one_thread

CHUNK = 256


def measure(task: Task) -> dict[str, Any]:
    """Return CPU microseconds an event for each size, without the making of lists."""
    use_one_thread()
    return {"points": [_point(users, items, task) for users, items in task.sizes]}


def _point(users: int, items: int, task: Task) -> dict[str, Any]:
    each = items // len(DOMAINS)
    arms, _ = filled(users, each, lists=True)
    events = some_events(users, task.events, np.random.default_rng(1), each)
    warm, done, cpu = len(events) // 4, 0, 0.0
    learn(arms, events[:warm], CHUNK)
    while cpu < task.seconds and warm + done < len(events):
        some = events[warm + done : warm + done + CHUNK]
        with Timed() as timed:
            learn(arms, some, task.batch)
        done, cpu = done + len(some), cpu + timed.cpu
    return {"users": users, "items": items, "events": done, "cpu_us": 1e6 * cpu / done}


if __name__ == "__main__":
    answer(measure)
