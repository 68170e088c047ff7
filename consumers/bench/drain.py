"""Contestant: a `crosscurrent run` process that drains a backlog from a broker into a store.

Fields of the task: `data`, `events`, `seconds`, `bootstrap`, `url`. The topics hold the stream already.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from consumers.bench.parts.service_process import START_SECONDS, ServiceProcess
from consumers.bench.parts.stream import load
from consumers.bench.parts.task import Task, answer

EVENTS, LISTS = "crosscurrent_events_total", "crosscurrent_published_total{kind=rec}"
EVERY_SECONDS = 0.1


def measure(task: Task) -> dict[str, Any]:
    """Watch how fast events are learned and lists written, from the first learned event on.

    The time ends with the backlog, or after `seconds`. A start is not part of it.
    """
    domains = load(task.data, task.events).domains
    with (
        tempfile.TemporaryDirectory(prefix="crosscurrent-bench-") as folder,
        ServiceProcess(Path(folder), task.bootstrap, task.url, domains) as service,
    ):
        samples = _samples(service, task)
        backlog = service.metrics()["crosscurrent_publish_backlog"]
    (begun, first, lists), (ended, last, more_lists) = samples[0], samples[-1]
    seconds = max(ended - begun, 1e-9)
    return {
        "events": last - first,
        "seconds": seconds,
        "events_per_second": (last - first) / seconds,
        "lists_per_second": (more_lists - lists) / seconds,
        "drained": last >= task.events,
        "backlog_of_the_store": backlog,
    }


def _samples(service: ServiceProcess, task: Task) -> list[tuple[float, float, float]]:
    """Return (time, events, lists), from the first learned event on."""
    samples: list[tuple[float, float, float]] = []
    deadline = time.perf_counter() + START_SECONDS
    while time.perf_counter() < deadline and (not samples or samples[-1][1] < task.events):
        service.check()
        before = time.perf_counter()
        metrics = service.metrics()
        if metrics[EVENTS]:
            if not samples:
                deadline = time.perf_counter() + task.seconds
            samples.append((before, metrics[EVENTS], metrics[LISTS]))
        time.sleep(EVERY_SECONDS)
    if len(samples) < 2:
        raise RuntimeError(f"{samples[0][1] if samples else 0:.0f} events learned: too few to measure")
    return samples


if __name__ == "__main__":
    answer(measure)
