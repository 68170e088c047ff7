"""Three brokers die in turn, then two at once, and one is paused: nothing is lost or doubled, and /readyz says so."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest
from kafka import KafkaAdminClient, KafkaProducer

from consumers.demo.embedded_servers import NotInstalledError
from tests.support.kafka.apache_kafka import ApacheBroker, ApacheKafka, started_kafka
from tests.support.kafka.quorum import Quorum
from tests.support.service.running import wait_for
from tests.support.service.service_world import DOMAINS, World, started

pytestmark = pytest.mark.timeout(400)  # three brokers and several deaths, on a machine that may be busy


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, missing: Callable[[object], NoReturn]
) -> Iterator[ApacheKafka]:
    try:
        with started_kafka(tmp_path_factory.mktemp("three"), brokers=3) as made:
            yield made
    except NotInstalledError as error:
        missing(error)


@pytest.fixture
def world(tmp_path: Path, cluster: ApacheKafka, redis_store: Any, topic_prefix: str) -> Iterator[World]:
    """A service that has learned 30 events, and a producer whose records survive the death of a broker."""
    with started(_world(tmp_path, cluster, redis_store, topic_prefix)) as running:
        yield running


@pytest.fixture
def split(tmp_path: Path, cluster: ApacheKafka, redis_store: Any, topic_prefix: str) -> Iterator[World]:
    """Make `world` with partition 0 of the interactions on broker 1 alone, 1 on broker 2, and 2 on broker 3."""
    alone = {"assignments": {n: [n + 1] for n in range(3)}, "configs": {"min.insync.replicas": "1"}}
    with KafkaAdminClient(bootstrap_servers=cluster.bootstrap) as admin:
        admin.create_topics(
            {f"interactions.{topic_prefix}.{d}": alone for d in DOMAINS}, wait_for_metadata=True
        )
    with started(_world(tmp_path, cluster, redis_store, topic_prefix)) as running:
        yield running


def _world(folder: Path, cluster: ApacheKafka, redis_store: Any, prefix: str) -> World:
    made = World(folder, cluster.bootstrap, redis_store.url, prefix)
    made.producer.close()
    made.producer = KafkaProducer(
        bootstrap_servers=cluster.bootstrap, acks="all", enable_idempotence=True, delivery_timeout_ms=120_000,
        request_timeout_ms=5_000,  # how long it waits for a broker that hangs
    )  # fmt: skip
    return made


class Busy(threading.Thread):
    """Sends 200 events a second to some partitions, until its context ends. sent: the number so far."""

    def __init__(self, world: World, partitions: list[int]) -> None:
        super().__init__(name="busy", daemon=True)
        self.partitions, self.sent = partitions, 0
        self._world, self._ended = world, threading.Event()

    def __enter__(self) -> Busy:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()
        self._world.producer.flush()

    def run(self) -> None:
        for number in itertools.count():
            if self._ended.wait(0.05):
                return
            for n in range(10):
                self._send(number + n)

    def _send(self, number: int) -> None:
        domain = "movies" if number % 2 else "books"
        user, item = f"u{number % 7}", f"{domain[0]}{number % 20}"
        event = {"type": "rating", "user_id": user, "item_id": item, "value": 1 + number % 5}
        self._world.producer.send(
            f"interactions.{self._world.prefix}.{domain}",
            key=user.encode(),
            value=json.dumps(event).encode(),
            partition=self.partitions[self.sent % len(self.partitions)],
        )
        self.sent += 1


def rate(world: World, events: int) -> None:
    for n in range(events):
        domain = "movies" if n % 2 else "books"
        world.rate(domain, f"u{n % 7}", f"{domain[0]}{n % 20}", 1 + n % 5)


def learned_exactly(world: World, events: int) -> None:
    wait_for(lambda: world.learned() >= events, why=f"{events} learned, not {world.learned()}")
    time.sleep(1.0)  # one too many would come now
    assert world.learned() == events


def test_every_broker_dies_in_turn(world: World, cluster: ApacheKafka) -> None:
    """Each death takes the leaders of a third of the partitions, and one takes the active controller, under load."""
    sent = 30
    for broker in cluster.brokers.values():
        rate(world, 100)
        broker.kill()
        rate(world, 100)
        sent += 200
        learned_exactly(world, sent)
        broker.start()
        wait_for(lambda: world.service.get("/readyz")[0] == 200, 60, why="ready")
    assert world.service.stop() == 0
    assert sum(world.counts(f"u{n}") for n in range(7)) == sent


def test_two_of_three_brokers_are_away(world: World, cluster: ApacheKafka) -> None:
    """Dead letters and checkpoints wait, and /readyz says why within 10 s. After the return nothing is missing."""
    *away, _ = cluster.brokers.values()
    world.raw("movies", "bad", b"{oops")
    rate(world, 20)
    world.producer.flush()
    for broker in away:
        broker.kill()
    why = wait_for(lambda: (got := world.service.get("/readyz"))[0] == 503 and got[1], 10, why="not ready")
    assert "Kafka" in why or "dead letters" in why
    assert world.service.get("/healthz")[0] == 200
    rate(world, 20)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ApacheBroker.start, away))
    world.producer.flush()
    learned_exactly(world, 70)
    world.service.wait_until_ready()
    assert {letter.value for letter in world.dead_letters(1)} == {b"{oops"}
    assert world.service.stop() == 0


READ_SECONDS = 15.0
"""How soon a new leader must be read. It is elected after some 10 s; the client gives up the paused one after 30 s."""


def test_a_paused_leader_is_left_for_the_new_one(world: World, cluster: ApacheKafka) -> None:
    """Kafka elects another leader, which is read although a fetch still waits for the paused broker."""
    paused = cluster.brokers[1]
    topics = [f"interactions.{world.prefix}.{domain}" for domain in DOMAINS]
    with contextlib.closing(Quorum(cluster.bootstrap, topics)) as quorum:
        before = quorum.led()
        rate(world, 100)
        paused.pause()
        try:
            rate(world, 100)
            quorum.led_anew(before, {1}, away={1})
            wait_for(lambda: world.learned() >= 230, READ_SECONDS, why="what the new leader has is learned")
        finally:
            paused.go_on()
    learned_exactly(world, 230)
    world.service.wait_until_ready()
    assert world.service.stop() == 0


HEALTHY_SECONDS = 8.0
"""Seconds of a pause that is longer than the silence that /readyz reports."""


def test_a_paused_broker_is_told_while_the_others_are_busy(split: World, cluster: ApacheKafka) -> None:
    """A busy broker is never called silent. A paused one is, by its name, although records come from the others all
    the time. Their records are learned at once, and those of the paused broker after its return.
    """
    service, paused = split.service, cluster.brokers[3]
    with Busy(split, [0, 1, 2]) as busy:
        end = time.monotonic() + HEALTHY_SECONDS
        while time.monotonic() < end:
            assert "has not answered" not in service.get("/readyz")[1]
            time.sleep(0.1)
        paused.pause()
        try:
            rate(split, 30)  # some of them go to the paused one
            busy.partitions = [0, 1]
            wait_for(lambda: "(broker 3 at " in service.get("/readyz")[1], 10, why="not ready, by its name")
            assert service.get("/readyz")[0] == 503
            before = split.learned()
            wait_for(lambda: split.learned() > before + 200, why="the other partitions go on")
            assert service.get("/readyz")[0] == 503
        finally:
            paused.go_on()
        service.wait_until_ready()
    learned_exactly(split, 60 + busy.sent)
    assert service.stop() == 0
