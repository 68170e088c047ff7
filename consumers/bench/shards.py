"""Measure a contestant: one or several shards that drain a backlog from a broker into a store.

Fields of the task: `data`, `events`, `seconds`, `shards`, `bootstrap`, `prefix`, `url`. The topics hold the stream
already. Several shards have a process that trains their network, as in production.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from consumers.bench.parts.service_process import CPU, EVENTS, START_SECONDS, Metrics, Role, ServiceProcess
from consumers.bench.parts.stream import load
from consumers.bench.parts.task import Task, answer
from consumers.config.loader import load_for_all
from consumers.kafka_client.client import client_options
from consumers.sharing.topics import create_shard_topics

FOLDED = "crosscurrent_facts_total{direction=folded}"
EVERY_SECONDS = 0.2


class Work(NamedTuple):
    """What processes have done together: events learned, facts folded, CPU seconds."""

    events: float
    folded: float
    cpu: float

    def since(self, start: Work) -> Work:
        """Return what was done after `start`."""
        return Work(*(now - then for now, then in zip(self, start, strict=True)))


def measure(task: Task) -> dict[str, Any]:
    """Measure the CPU of an event. A start is not part of it: each process counts from its last look without an event.

    The time ends once all events are learned and all their facts are folded, or after `seconds`.
    """
    domains = load(task.data, task.events).domains
    with tempfile.TemporaryDirectory(prefix="crosscurrent-bench-") as name, ExitStack() as stack:
        roles = [Role("run", index, task.shards) for index in range(task.shards)]
        if task.shards > 1:
            roles.append(Role("network", None, task.shards))
        made = [ServiceProcess(Path(name) / str(n), task, domains, role) for n, role in enumerate(roles)]
        if task.shards > 1:
            settings = load_for_all(made[0].config)
            create_shard_topics(client_options(settings.kafka), settings)
        processes = [stack.enter_context(one) for one in made]
        before, after, seconds = _watched(processes, task)
    work = _sum(after[: task.shards]).since(_sum(before[: task.shards]))
    training = _sum(after[task.shards :]).since(_sum(before[task.shards :]))
    if not work.events:
        raise RuntimeError("no event was learned while somebody looked: too few to measure")
    return {
        "shards": task.shards,
        "events": work.events,
        "folded": work.folded,
        "cpu_us": 1e6 * work.cpu / work.events,
        "trainer_us": 1e6 * training.cpu / work.events,
        "events_per_second": work.events / seconds,
    }


def _watched(processes: list[ServiceProcess], task: Task) -> tuple[list[Metrics], list[Metrics], float]:
    """Return the metrics of each process before its first event and at the end, and the seconds between them.

    The process of the network, which learns no events, counts from the first event of all.
    """
    begun, deadline = time.perf_counter(), time.perf_counter() + START_SECONDS
    before = now = [one.metrics() for one in processes]
    while time.perf_counter() < deadline and not _finished(now[: task.shards], task):
        time.sleep(EVERY_SECONDS)
        for one in processes:
            one.check()
        waited, now = not _sum(now).events, [one.metrics() for one in processes]
        quiet = [not new[EVENTS] and (waited or n < task.shards) for n, new in enumerate(now)]
        before = [new if still else old for old, new, still in zip(before, now, quiet, strict=True)]
        if waited:
            begun = time.perf_counter()
            deadline = begun + (task.seconds if _sum(now).events else START_SECONDS)
    return before, now, time.perf_counter() - begun


def _finished(found: list[Metrics], task: Task) -> bool:
    """Return whether every event is learned by its shard and folded by all others."""
    done = _sum(found)
    return done.events >= task.events and done.folded >= task.events * (task.shards - 1)


def _sum(found: list[Metrics]) -> Work:
    return Work(*(sum(one[name] for one in found) for name in (EVENTS, FOLDED, CPU)))


if __name__ == "__main__":
    answer(measure)
