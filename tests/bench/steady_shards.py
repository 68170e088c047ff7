"""How fresh shards are while others are killed: `python -m tests.bench.steady_shards [--shards 2] [--rate 500]`.

A generated stream at a steady rate, shards and the process of their network, on Apache Kafka if CROSSCURRENT_KAFKA_LIBS
names it, else on the embedded broker. First nothing happens. Then the last shard is killed with -9 and started again,
several times, and then the process of the network. It prints the freshness of the events of the shards that were not
killed, and the age of the weights that they use. All processes share one machine here, so one that starts gets only the
time that no other wants: on a machine of its own its start would take time from nobody.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path

import numpy as np

from consumers.bench.freshness import counted_between, quantile
from consumers.bench.parts.service_process import EVENTS, Role, ServiceProcess
from consumers.bench.parts.stream import roles, world
from consumers.bench.parts.task import Task
from consumers.bench.parts.topics import Topics
from consumers.bench.run.brokers import Brokers, Place
from consumers.config.loader import load_for_all
from consumers.datasets.record import Sent
from consumers.demo.embedded_servers import Store
from consumers.kafka_client.client import client_options
from consumers.kafka_client.producer import make_producer
from consumers.replay.delivery import send
from consumers.sharing.topics import create_shard_topics
from consumers.simulator.event_stream import Simulator
from models.schema import Domain
from tests.bench.on_apache_kafka import kafka_if_there

USERS = ITEMS = 10_000
WARM_UP_SECONDS, EVERY_SECONDS, AWAY_SECONDS = 40.0, 0.2, 3.0
"""Seconds. During the warm-up the texts of all items are projected, once: shards stand still for a moment then."""
AGE = "crosscurrent_network_age_seconds"


class Process:
    """One process of the service, which can be killed and started again."""

    def __init__(self, folder: Path, task: Task, domains: Sequence[Domain], role: Role) -> None:
        self._make: Callable[[], ServiceProcess] = lambda: ServiceProcess(folder, task, domains, role)
        self.service = self._make()

    def start(self) -> None:
        self.service.__enter__()

    def kill(self) -> None:
        assert self.service.process is not None
        self.service.process.kill()
        self.service.process.wait()

    def again(self) -> None:
        """Start it again, from its checkpoint, and return once it is ready."""
        self.service = self._make()
        self.start()
        assert self.service.process is not None
        os.sched_setscheduler(self.service.process.pid, os.SCHED_IDLE, os.sched_param(0))
        self.service.wait_until_ready()


class Watch(threading.Thread):
    """Watches the freshness of some processes and the age of their weights until `end`."""

    def __init__(self, watched: Sequence[Process]) -> None:
        super().__init__(daemon=True)
        self._watched, self._ended = watched, threading.Event()
        self._before = [one.service.metrics() for one in watched]
        self._ages: list[float] = []
        self._begun = time.monotonic()

    def run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self._ages += [one.service.metrics()[AGE] for one in self._watched]

    def end(self, what: str) -> float:
        """Print the figures, and return the 99th percentile of freshness in seconds."""
        self._ended.set()
        self.join()
        seconds = time.monotonic() - self._begun
        after = [one.service.metrics() for one in self._watched]
        events = sum(new[EVENTS] - old[EVENTS] for old, new in zip(self._before, after, strict=True))
        parts = [counted_between(old, new) for old, new in zip(self._before, after, strict=True)]
        counts = {bound: sum(part[bound] for part in parts) for bound in parts[0]}
        median, tail = quantile(counts, 0.5), quantile(counts, 0.99)
        print(
            f"{what:34} {seconds:5.0f} s  {events / seconds:6.0f} events/s  "
            f"freshness p50 {1000 * median:5.0f} ms, p99 {1000 * tail:5.0f} ms  "
            f"age of weights p50 {np.median(self._ages):4.2f} s, p99 {np.percentile(self._ages, 99):5.2f} s",
            flush=True,
        )
        return tail


def measure(options: argparse.Namespace, place: Place, url: str, folder: Path) -> None:
    """Start everything, and measure each phase."""
    settings = world(10**9, USERS, ITEMS, start_ms=None)
    simulator = Simulator(settings)
    domains = roles([spec.name for spec in settings.domains], [])
    task = Task(bootstrap=place.bootstrap, url=url, prefix=place.prefix, rate=options.rate)
    topics = Topics(task.prefix)
    topics.make(task.bootstrap, [domain.name for domain in domains])
    count = options.shards
    all_roles = [Role("run", n, count) for n in range(count)] + [Role("network", None, count)]
    made = [Process(folder / str(n), task, domains, role) for n, role in enumerate(all_roles)]
    config = load_for_all(made[0].service.config)
    create_shard_topics(client_options(config.kafka), config)
    with make_producer({"bootstrap_servers": task.bootstrap}) as producer:
        send(simulator.items(), producer, topics.of)
    ended = threading.Event()
    feed = threading.Thread(target=_feed, args=(simulator.events(), task, ended))
    try:
        for one in made:
            one.start()
        for one in made:
            one.service.wait_until_ready()
        feed.start()
        time.sleep(WARM_UP_SECONDS)
        *others, victim, network = made
        watch = Watch(others)
        watch.start()
        time.sleep(options.seconds)
        calm = watch.end("nothing happens")
        for who, killed in (("a shard", victim), ("the network", network)) if options.kills else ():
            watch = Watch(others)
            watch.start()
            for _ in range(options.kills):
                killed.kill()
                time.sleep(AWAY_SECONDS)
                killed.again()
                time.sleep(AWAY_SECONDS)
            tail = watch.end(f"{who} is killed {options.kills} times")
            print(f"  p99 of the others: {tail / calm:.2f} times that of before (at most 1.5)")
    finally:
        ended.set()
        if feed.is_alive():
            feed.join()
        for one in made:
            one.kill()


def _feed(events: Iterator[Sent], task: Task, ended: threading.Event) -> None:
    with make_producer({"bootstrap_servers": task.bootstrap}, live=True) as producer:
        until_the_end = takewhile(lambda _: not ended.is_set(), events)
        send(until_the_end, producer, Topics(task.prefix).of, rate=task.rate)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--rate", type=float, default=500.0, help="events a second, of all shards")
    parser.add_argument("--seconds", type=float, default=40.0, help="how long nothing happens")
    parser.add_argument("--kills", type=int, default=3, help="of a shard, then of the network's process")
    options = parser.parse_args()
    with (
        kafka_if_there() as kafka, Brokers(kafka).broker() as place, Store() as store,
        tempfile.TemporaryDirectory() as folder,
    ):  # fmt: skip
        measure(options, place, store.url, Path(folder))


if __name__ == "__main__":
    main()
