"""Measure a contestant: a `crosscurrent run` process that drains a backlog from a broker into a store.

Fields of the task: `data`, `events`, `seconds`, `bootstrap`, `prefix`, `url`, `format`, `registry`. The topics hold the
stream already.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from consumers.bench.parts.service_process import CPU, EVENTS, START_SECONDS, Metrics, ServiceProcess
from consumers.bench.parts.stream import load
from consumers.bench.parts.task import Task, answer

LISTS = "crosscurrent_published_total{kind=rec}"
EVERY_SECONDS = 0.25
"""Between two looks at the metrics. Each costs the service about 2 ms."""


def measure(task: Task) -> dict[str, Any]:
    """Measure how fast events are learned and lists written, from the first learned event on.

    The time ends with the backlog, or after `seconds`. A start is not part of it.
    """
    domains = load(task.data, task.events).domains
    with (
        tempfile.TemporaryDirectory(prefix="crosscurrent-bench-") as folder,
        ServiceProcess(Path(folder), task, domains) as service,
    ):
        first, last = _watched(service, task)
    seconds = last.at - first.at
    events, cpu = last.metrics[EVENTS] - first.metrics[EVENTS], last.metrics[CPU] - first.metrics[CPU]
    if not events:
        raise RuntimeError(f"{last.metrics[EVENTS]:.0f} events learned: too few to measure")
    return {
        "events": events,
        "seconds": seconds,
        "events_per_second": events / seconds,
        "events_per_cpu_second": events / cpu,
        "lists_per_second": (last.metrics[LISTS] - first.metrics[LISTS]) / seconds,
        "drained": last.metrics[EVENTS] >= task.events,
        "backlog_of_the_store": last.metrics["crosscurrent_publish_backlog"],
    }


class Sample(NamedTuple):
    """The service's metrics, and when they were asked for (seconds)."""

    at: float
    metrics: Metrics


def _watched(service: ServiceProcess, task: Task) -> tuple[Sample, Sample]:
    """Return the first sample in which an event was learned, and the last one."""
    deadline = time.perf_counter() + START_SECONDS
    first = last = _sample(service)
    while last.metrics[EVENTS] < task.events and time.perf_counter() < deadline:
        if not first.metrics[EVENTS] and last.metrics[EVENTS]:
            first, deadline = last, time.perf_counter() + task.seconds
        time.sleep(EVERY_SECONDS)
        service.check()
        last = _sample(service)
    return first, last


def _sample(service: ServiceProcess) -> Sample:
    at = time.perf_counter()
    return Sample(at, service.metrics())


if __name__ == "__main__":
    answer(measure)
