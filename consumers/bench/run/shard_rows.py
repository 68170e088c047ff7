"""Make the rows about several shards: what an event costs the shard that learns it, and all others."""

from __future__ import annotations

from typing import Any

import msgspec

from consumers.bench.parts.task import Task
from consumers.bench.run.brokers import Brokers
from consumers.bench.run.figure import Figure
from consumers.bench.run.plan import Plan
from consumers.bench.run.runner import Runner
from consumers.bench.shards import own_task
from consumers.demo.embedded_servers import Store

FOLDED = (16, 256)
"""Facts that are folded together: while a shard keeps up, and while it drains a backlog."""


class ShardRows:
    """Makes the rows `facts` and `shards`."""

    def __init__(self, runner: Runner, plan: Plan, brokers: Brokers) -> None:
        self._runner, self._plan, self._brokers = runner, plan, brokers

    def facts(self) -> list[Figure]:
        figures, plan = [], self._plan
        for of, folder in plan.sets:
            for folded in FOLDED:
                task = Task(data=folder, events=plan.events, seconds=plan.learn_seconds, folded=folded)
                got = self._runner.run("facts", task)
                shards = ", ".join(f"{n}: {rate:,.0f}" for n, rate in got["shards"].items())
                note = f"own {got['own_us']:.0f} µs; {got['bytes']:.0f} bytes; events/s of shards: {shards}"
                name = f"an event of another shard, {folded} together"
                figures.append(Figure("facts", name, got["foreign_us"], "µs of CPU", "lower", of, note))
        return figures

    def shards(self) -> list[Figure]:
        """Drain one stream with several shards. The law says that N shards spend a + (N - 1) f on an event.

        Where facts come late, fewer than N - 1 are folded for each event, and the law counts those that were.
        Its a and f are measured with as many processes beside each other that share nothing: a machine with fewer cores
        than processes makes every one of them dearer, whatever they share.
        """
        figures = []
        for of, folder in self._plan.sets:
            for count in self._plan.shards:
                got = self._drained(folder, count)
                spent = got["cpu_us"] + got["trainer_us"]
                note = f"{count} cores would learn {count * 1e6 / got['cpu_us']:,.0f} events/s"
                name = "an event in one process"
                if count > 1:
                    own = self._drained(folder, count, alone=True)["cpu_us"]
                    foreign = self._beside(folder, count)
                    law = own + got["folded"] / got["events"] * foreign
                    name = f"an event among {count} shards"
                    note = (
                        f"{spent / law:.2f} of what the law says, {law:.0f}: {own:.0f} in {count} processes that "
                        f"share nothing, {foreign:.0f} a fact; the network's process {got['trainer_us']:.0f}; {note}"
                    )
                note += f"; here {got['events_per_second']:,.0f}"
                figures.append(Figure("shards", name, spent, "µs of CPU", "lower", of, note))
        return figures

    def _beside(self, folder: str, count: int) -> float:
        """Return the µs of CPU of a foreign fact, where as many processes fold facts at the same time."""
        plan = self._plan
        task = Task(data=folder, events=plan.shard_events, seconds=plan.fact_seconds, folded=FOLDED[-1])
        found: list[float] = [got["foreign_us"] for got in self._runner.run_beside("facts", task, count)]
        return sum(found) / count

    def _drained(self, folder: str, shards: int, alone: bool = False) -> dict[str, Any]:
        """Return the figures of processes that drain a stream; with `alone` each one of its own."""
        plan = self._plan
        events = plan.shard_events // 2 if alone else plan.shard_events  # for each process that is alone
        task = Task(data=folder, events=events, seconds=plan.shard_seconds, shards=shards, alone=alone)
        with self._brokers.broker() as place, Store() as store:
            here = {"bootstrap": place.bootstrap, "prefix": place.prefix, "url": store.url}
            task = msgspec.structs.replace(task, **here)
            filled = [own_task(task, process) for process in range(shards if alone else 1)]
            counts = [self._runner.run("filling.fill_topics", one)["events"] for one in filled]
            return self._runner.run("shards", msgspec.structs.replace(task, events=counts[0]))
