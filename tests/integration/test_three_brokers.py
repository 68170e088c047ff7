"""Three brokers: each dies in turn, then two of three. Nothing is lost or doubled, and /readyz tells the truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest
from kafka import KafkaProducer

from consumers.demo.embedded_servers import NotInstalledError
from tests.support.apache_kafka import ApacheBroker, ApacheKafka, started_kafka
from tests.support.running import wait_for
from tests.support.service_world import World, started

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
    made = World(tmp_path, cluster.bootstrap, redis_store.url, topic_prefix)
    text = made.service.config.read_text()
    servers = ", ".join(f'"{broker.bootstrap}"' for broker in cluster.brokers.values())
    made.service.config.write_text(text.replace(f'["{cluster.bootstrap}"]', f"[{servers}]"))
    made.producer.close()
    made.producer = KafkaProducer(
        bootstrap_servers=cluster.bootstrap, acks="all", enable_idempotence=True, delivery_timeout_ms=120_000
    )
    with started(made) as running:
        yield running


def rate(world: World, events: int) -> None:
    for n in range(events):
        domain = "movies" if n % 2 else "books"
        world.rate(domain, f"u{n % 7}", f"{domain[0]}{n % 20}", 1 + n % 5)


def learned_exactly(world: World, events: int) -> None:
    wait_for(lambda: world.learned() >= events, why=f"{events} learned, not {world.learned()}")
    time.sleep(1.0)  # one too many would come now
    assert world.learned() == events


def test_every_broker_dies_in_turn(world: World, cluster: ApacheKafka) -> None:
    """With it the leaders of a third of the partitions, and once the active controller, while events are produced."""
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
    """Dead letters and checkpoints wait; not ready within 10 s, and why; once they are back nothing is missing."""
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
