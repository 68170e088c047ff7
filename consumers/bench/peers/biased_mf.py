"""Measure a contestant: River's `reco.BiasedMF` alone, which predicts and learns the same events.

A click counts as the best rating. It ranks nothing, reads no log, writes no store.
Fields of the task: `data`, `events`, `seconds`.
"""

from __future__ import annotations

import time
from typing import Any

from river import reco

from consumers.bench.parts.stream import load
from consumers.bench.parts.task import Task, answer
from consumers.bench.parts.timing import Timed

CHUNK = 256


def measure(task: Task) -> dict[str, Any]:
    """Learn the stream on one thread."""
    stream = load(task.data, task.events)
    best = {domain.name: domain.rating_range[1] for domain in stream.domains}
    rows = [
        (event.user, event.item, best[event.domain] if event.value is None else event.value)
        for event in stream.events
    ]
    model, done = reco.BiasedMF(seed=0), 0
    end = time.process_time() + task.seconds
    with Timed() as timed:
        while done < len(rows) and time.process_time() < end:
            for user, item, value in rows[done : done + CHUNK]:
                model.predict_one(user, item)
                model.learn_one(user, item, y=value)
            done = min(done + CHUNK, len(rows))
    return {
        "events": done,
        "events_per_second": done / timed.wall,
        "events_per_cpu_second": done / timed.cpu,
    }


if __name__ == "__main__":
    answer(measure)
