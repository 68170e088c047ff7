"""Make the rows about several shards: what an event costs the shard that learns it, and all others."""

from __future__ import annotations

from typing import Any

import msgspec

from consumers.bench.parts.task import Task
from consumers.bench.run.brokers import Brokers
from consumers.bench.run.figure import Figure
from consumers.bench.run.plan import Plan
from consumers.bench.run.runner import Runner
from consumers.demo.embedded_servers import Store

FOLDED = (16, 256)
"""Facts that are folded together: while a shard keeps up, and while it drains a backlog."""


class ShardRows:
    """Makes the rows `facts` and `shards`. A contestant that both need runs once."""

    def __init__(self, runner: Runner, plan: Plan, brokers: Brokers) -> None:
        self._runner, self._plan, self._brokers = runner, plan, brokers
        self._facts: dict[tuple[str, int], dict[str, Any]] = {}

    def facts(self) -> list[Figure]:
        figures = []
        for of, folder in self._plan.sets:
            for folded in FOLDED:
                got = self._fact(folder, folded)
                shards = ", ".join(f"{n}: {rate:,.0f}" for n, rate in got["shards"].items())
                note = f"own {got['own_us']:.0f} µs; {got['bytes']:.0f} bytes; events/s of shards: {shards}"
                name = f"an event of another shard, {folded} together"
                figures.append(Figure("facts", name, got["foreign_us"], "µs of CPU", "lower", of, note))
        return figures

    def _fact(self, folder: str, folded: int) -> dict[str, Any]:
        if (folder, folded) not in self._facts:
            plan = self._plan
            task = Task(data=folder, events=plan.events, seconds=plan.learn_seconds, folded=folded)
            self._facts[folder, folded] = self._runner.run("facts", task)
        return self._facts[folder, folded]

    def shards(self) -> list[Figure]:
        """Drain one stream with several shards. The law says that N shards spend a + (N - 1) f on an event."""
        figures = []
        for of, folder in self._plan.sets:
            drains = [self._drained(folder, count) for count in self._plan.shards]
            own, foreign = drains[0]["cpu_us"], self._fact(folder, FOLDED[-1])["foreign_us"]
            for got in drains:
                count, spent = got["shards"], got["cpu_us"] + got["trainer_us"]
                law = own + (count - 1) * foreign
                note = (
                    f"the law says {law:.0f}; the network's process {got['trainer_us']:.0f} of them; "
                    f"{count} cores would learn {count * 1e6 / got['cpu_us']:,.0f} events/s; "
                    f"here {got['events_per_second']:,.0f}"
                )
                name = f"an event among {count} shards" if count > 1 else "an event in one process"
                figures.append(Figure("shards", name, spent, "µs of CPU", "lower", of, note))
        return figures

    def _drained(self, folder: str, shards: int) -> dict[str, Any]:
        plan = self._plan
        task = Task(data=folder, events=plan.shard_events, seconds=plan.shard_seconds, shards=shards)
        with self._brokers.broker() as place, Store() as store:
            here = {"bootstrap": place.bootstrap, "prefix": place.prefix, "url": store.url}
            task = msgspec.structs.replace(task, **here)
            events = self._runner.run("filling.fill_topics", task)["events"]
            return self._runner.run("shards", msgspec.structs.replace(task, events=events))
