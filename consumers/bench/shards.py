"""Measure a contestant: one or several shards that drain a backlog from a broker into a store.

Fields of the task: `data`, `events`, `seconds`, `shards`, `alone`, `bootstrap`, `prefix`, `url`. The topics hold the
stream already. Several shards have a process that trains their network, as in production. With `alone`, each process
learns a whole stream of its own and nothing is shared: if one event costs more than in a single process, the cause is
the machine.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from consumers.bench.parts.service_process import (
    ALONE,
    CPU,
    EVENTS,
    START_SECONDS,
    Metrics,
    Role,
    ServiceProcess,
)
from consumers.bench.parts.stream import load
from consumers.bench.parts.task import Task, answer
from consumers.config.loader import load_for_all
from consumers.kafka_client.client import client_options
from consumers.sharing.topics import create_shard_topics

FOLDED = "crosscurrent_facts_total{direction=folded}"
EVERY_SECONDS = 0.5


class Work(NamedTuple):
    """What processes have done together: events learned, facts folded, CPU seconds."""

    events: float
    folded: float
    cpu: float

    def since(self, start: Work) -> Work:
        """Return what was done after `start`."""
        return Work(*(now - then for now, then in zip(self, start, strict=True)))


def measure(task: Task) -> dict[str, Any]:
    """Measure the CPU of an event, once half of the events are learned, until all are, or for `seconds`.

    After that a service without work makes the lists that waited. Facts that were not folded by then do not count.
    """
    domains = load(task.data, task.events).domains
    with tempfile.TemporaryDirectory(prefix="crosscurrent-bench-") as name, ExitStack() as stack:
        shares = task.shards > 1 and not task.alone
        roles = [Role("run", n, task.shards) if shares else ALONE for n in range(task.shards)]
        if shares:
            roles.append(Role("network", None, task.shards))
        made = [
            ServiceProcess(Path(name) / str(n), own_task(task, n), domains, role)
            for n, role in enumerate(roles)
        ]
        if shares:
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


def own_task(task: Task, process: int) -> Task:
    """Return the task of one of the processes: with `alone` it has topics and a database of its own."""
    if not task.alone:
        return task
    return msgspec.structs.replace(
        task, prefix=f"{task.prefix}{process}.", url=f"{task.url.rpartition('/')[0]}/{process}"
    )


def _watched(processes: list[ServiceProcess], task: Task) -> tuple[list[Metrics], list[Metrics], float]:
    """Return the metrics of each process when half of the events are learned and at the end, and the seconds between.

    The first half is warm-up. A process that starts encodes and publishes every item, and that costs the same however
    many events there are.
    """
    due = task.events * (task.shards if task.alone else 1)
    begun, deadline = time.perf_counter(), time.perf_counter() + START_SECONDS
    before = now = [one.metrics() for one in processes]
    waits = True
    while time.perf_counter() < deadline and _sum(now).events < due:
        time.sleep(EVERY_SECONDS)
        for one in processes:
            one.check()
        now = [one.metrics() for one in processes]
        learned = _sum(now).events
        if waits and learned:
            waits, deadline = False, time.perf_counter() + task.seconds
        if learned < due / 2:
            before, begun = now, time.perf_counter()
    return before, now, time.perf_counter() - begun


def _sum(found: list[Metrics]) -> Work:
    return Work(*(sum(one[name] for one in found) for name in (EVENTS, FOLDED, CPU)))


if __name__ == "__main__":
    answer(measure)
