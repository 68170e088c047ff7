"""Make the rows of the table: run the contestants that each needs, and compute its figures."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from consumers.bench.parts.task import Task
from consumers.bench.run.brokers import Brokers
from consumers.bench.run.figure import Figure
from consumers.bench.run.machine import free_bytes
from consumers.bench.run.plan import Plan, Sizes
from consumers.bench.run.runner import Runner
from consumers.bench.run.shard_rows import ShardRows
from consumers.bench.run.slope import exponent
from consumers.demo.embedded_servers import Store

RESTART_BYTES = 20_000
"""Bytes that a user takes while a checkpoint is written, plus a quarter."""
USERS_STEP = 50_000


class Rows:
    """Makes rows. A contestant that several rows need runs once. registry: URL of a schema registry, for Avro."""

    def __init__(self, runner: Runner, plan: Plan, brokers: Brokers, registry: str = "") -> None:
        self._runner, self._plan, self._brokers, self._registry = runner, plan, brokers, registry
        self._drains: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]] = {}

    def learner(self) -> list[Figure]:
        name = "learner in process, 1 thread, batches of 16"
        return [
            Figure("learner", name, got["events_per_cpu_second"], "events/s a core", "higher", of, _some(got))
            for of, got in self._learned(batch=16, threads=1)
        ]

    def threads(self) -> list[Figure]:
        name = "learner in process, 2 threads, batches of 256"
        return [
            Figure("threads", name, got["events_per_second"], "events/s", "higher", of, _threads(got))
            for of, got in self._learned(batch=256, threads=2)
        ]

    def _learned(self, batch: int, threads: int) -> list[tuple[str, dict[str, Any]]]:
        plan = self._plan
        task = Task(events=plan.events, seconds=plan.learn_seconds, batch=batch, threads=threads)
        return [
            (of, self._runner.run("learner", msgspec.structs.replace(task, data=folder)))
            for of, folder in plan.sets
        ]

    def drain(self) -> list[Figure]:
        figures = []
        for of, folder in self._plan.sets:
            drained, polled = self._drained(of, folder)
            rate, bare = drained["events_per_second"], polled["events_per_second"]
            note = (
                f"{drained['events']:,.0f} events, {drained['lists_per_second']:,.0f} lists/s; "
                f"{drained['events_per_cpu_second']:,.0f} events/s of its CPU"
            )
            figures += [
                Figure("drain", "run drains a backlog", rate, "events/s", "higher", of, note),
                Figure(
                    "drain", "  ÷ bare consumer.poll", rate / bare, "ratio", "higher", of,
                    f"{bare:,.0f} records/s",
                ),
            ]  # fmt: skip
        return figures

    def avro(self) -> list[Figure]:
        figures = []
        for of, folder in self._plan.sets:
            json, avro = (
                self._drained(of, folder, form)[0]["events_per_second"] for form in ("json", "avro")
            )
            note = f"{avro:,.0f} and {json:,.0f} events/s"
            name = "drain of Avro ÷ drain of JSON"
            figures.append(Figure("avro", name, avro / json, "ratio", "higher", of, note))
        return figures

    def biased_mf(self) -> list[Figure]:
        figures = []
        for of, folder in self._plan.sets:
            drained, _ = self._drained(of, folder)
            task = Task(data=folder, events=self._plan.events, seconds=self._plan.learn_seconds)
            alone = self._runner.run("peers.biased_mf", task)["events_per_second"]
            note = f"{alone:,.0f} events/s; no ranking, no Kafka, no Redis"
            ratio = drained["events_per_second"] / alone
            figures.append(
                Figure("biased_mf", "run ÷ River BiasedMF alone", ratio, "ratio", "higher", of, note)
            )
        return figures

    def _drained(
        self, of: str, folder: str, form: Literal["json", "avro"] = "json"
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the figures of a drain, and of a bare poll of the same log."""
        if (of, form) not in self._drains:
            with self._brokers.broker() as place, Store() as store:
                task = Task(
                    data=folder,
                    events=self._plan.events,
                    seconds=self._plan.drain_seconds,
                    bootstrap=place.bootstrap,
                    prefix=place.prefix,
                    url=store.url,
                    format=form,
                    registry=self._registry if form == "avro" else "",
                )
                events = self._runner.run("filling.fill_topics", task)["events"]
                task = msgspec.structs.replace(task, events=events)
                polled = self._runner.run("peers.bare_poll", task)
                self._drains[of, form] = self._runner.run("drain", task), polled
        return self._drains[of, form]

    def freshness(self) -> list[Figure]:
        got = self._streamed(self._plan.rate)
        return _readable("freshness", f"{self._plan.rate:,.0f} events/s", got)

    def shown(self) -> list[Figure]:
        rate, impressions = self._plan.rate, self._plan.impressions * self._plan.rate
        got = self._streamed(rate, impressions)
        return _readable("shown", f"{rate:,.0f} events and {impressions:,.0f} impressions/s", got)

    def lists(self) -> list[Figure]:
        got = self._streamed(self._plan.list_rate)
        name = f"a touched user's list readable at {self._plan.list_rate:,.0f} events/s, p99"
        note = f"{got['lists_watched']:,} watched"
        if got["lists_missing"]:
            note += f", {got['lists_missing']:,} did not come"
        return [Figure("lists", name, got["lists_p99_ms"], "ms", "lower", note="; ".join((note, _pace(got))))]

    def _streamed(self, rate: float, impressions: float = 0.0) -> dict[str, Any]:
        """Return the figures of a steady stream."""
        plan = self._plan
        task = Task(
            rate=rate, impressions=impressions, seconds=plan.fresh_seconds,
            users=plan.fresh_users, items=plan.fresh_items,
        )  # fmt: skip
        with self._brokers.broker() as place:
            task = msgspec.structs.replace(task, bootstrap=place.bootstrap, prefix=place.prefix)
            return self._runner.run("freshness", task)

    def read(self) -> list[Figure]:
        with Store() as store:
            task = Task(url=store.url, seconds=self._plan.read_seconds)
            ours, bare = self._runner.run("read", task), self._runner.run("peers.bare_get", task)
        note = f"{ours['p99_us']:.0f} and {bare['p99_us']:.0f} µs, {bare['bytes']:,} bytes"
        ratio = ours["p99_us"] / bare["p99_us"]
        return [Figure("read", "Reader.recommend p99 ÷ bare GET", ratio, "ratio", "lower", note=note)]

    def growth(self) -> list[Figure]:
        return [
            self._grown("users", 0, self._plan.growth_users),
            self._grown("items", 1, self._plan.growth_items),
        ]

    def _grown(self, what: str, at: int, sizes: Sizes) -> Figure:
        plan = self._plan
        task = Task(sizes=sizes, events=plan.growth_events, seconds=plan.growth_seconds, batch=16)
        points = self._runner.run("growth", task)["points"]
        found = [(size[at], point["cpu_us"]) for size, point in zip(sizes, points, strict=True)]
        value = exponent(*zip(*found, strict=True))
        note = ", ".join(f"{size:,}: {cost:,.0f} µs" for size, cost in found)
        return Figure("growth", f"cost of an event, by {what}", value, "exponent", "lower", note=note)

    def memory(self) -> list[Figure]:
        plan, figures = self._plan, []
        for of, folder in plan.sets:
            task = Task(data=folder, events=plan.memory_events)
            got = self._runner.run("memory", task)
            for owner in ("user", "item"):
                tables = ", ".join(f"{name} {size:,}" for name, size in got[f"{owner}_tables"].items())
                note = f"{got[f'{owner}s']:,} {owner}s: {tables}"
                name = f"memory of {'a user' if owner == 'user' else 'an item'}"
                figures.append(Figure("memory", name, got[f"{owner}_bytes"], "bytes", "lower", of, note))
        if len(plan.sets) > 1:
            figures += [
                _mean([f for f in figures if f.name == name])
                for name in dict.fromkeys(f.name for f in figures)
            ]
        return figures

    def restart(self) -> list[Figure]:
        room = int(free_bytes() / RESTART_BYTES) // USERS_STEP * USERS_STEP
        users = min(self._plan.restart_users, max(USERS_STEP, room))
        with tempfile.TemporaryDirectory(prefix="crosscurrent-bench-") as folder:
            task = Task(users=users, items=self._plan.restart_items, folder=folder)
            self._runner.run("filling.write_checkpoint", task)
            bare, ours = self._runner.run("peers.read_bytes", task), self._runner.run("restart", task)
        note = f"{ours['seconds']:.1f} and {bare['seconds']:.2f} s, {bare['bytes'] / 1e6:,.0f} MB"
        if users < self._plan.restart_users:
            note += f"; memory allows no {self._plan.restart_users:,} users"
        name = f"restart with {users:,} users ÷ reading its bytes"
        return [Figure("restart", name, ours["seconds"] / bare["seconds"], "ratio", "lower", note=note)]

    def all(self) -> dict[str, Callable[[], list[Figure]]]:
        """Return the maker of each row by the row's name, in the order of the table."""
        several = ShardRows(self._runner, self._plan, self._brokers)
        elsewhere = {"facts": several.facts, "shards": several.shards}
        return {name: elsewhere[name] if name in elsewhere else getattr(self, name) for name in NAMES}


NAMES = (
    "learner", "threads", "drain", "avro", "biased_mf", "freshness", "shown", "lists", "read", "growth", "memory",
    "facts", "shards", "restart",
)  # fmt: skip


def _some(got: dict[str, Any]) -> str:
    return f"{got['events']:,} events after {got['warm_up']:,}"


def _threads(got: dict[str, Any]) -> str:
    used = "" if got["threads"] > 1 else "; the learner uses one thread only"
    return _some(got) + used


def _readable(row: str, stream: str, got: dict[str, Any]) -> list[Figure]:
    """Return the percentiles of freshness at a stream."""
    return [
        Figure(row, f"freshness at {stream}, {p}", got[f"{p}_ms"], "ms", "lower", note=_pace(got))
        for p in ("p50", "p99")
    ]


def _pace(got: dict[str, Any]) -> str:
    """Say whether the service kept up: events that it has not learned yet are in no other figure."""
    pace = f"{got['learned_per_second']:,.0f} events/s learned"
    return f"{pace}: falls behind" if got["behind"] > got["rate"] else pace


def _mean(figures: list[Figure]) -> Figure:
    value = sum(figure.value or 0.0 for figure in figures) / len(figures)
    return msgspec.structs.replace(figures[0], value=value, set="mean", note="")
