"""Kafka's own tools and the service: its lag as they show it, and quotas that they set."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kafka.apache_kafka import Address, kafka_tool
from tests.support.service.running import wait_for
from tests.support.service.service_world import World

GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
CONFIGS = "org.apache.kafka.tools.ConfigCommand"


@pytest.fixture
def world(tmp_path: Path, apache: Address, redis_store: Any, topic_prefix: str) -> Iterator[World]:
    made = World(tmp_path, apache.bootstrap, redis_store.url, topic_prefix)
    yield made
    made.close()


def shown(world: World) -> dict[str, tuple[int, int]]:
    """Return, of each topic of interactions, the committed offsets and the lag that kafka-consumer-groups shows."""
    line = ["--bootstrap-server", world.bootstrap, "--describe", "--group", world.prefix]
    found: dict[str, tuple[int, int]] = {}
    for row in kafka_tool(GROUPS, *line).splitlines():
        words = row.split()
        if len(words) > 5 and words[0] == world.prefix and words[1].startswith("interactions."):
            domain, (at, lag) = words[1].rpartition(".")[2], found.get(words[1].rpartition(".")[2], (0, 0))
            found[domain] = (at + int(words[3]), lag + int(words[5]))
    return found


def test_kafka_consumer_groups_shows_our_offsets_and_lag(world: World) -> None:
    """The tool shows the checkpoint's offsets, and the lag while the service is off."""
    world.fill(30)
    world.service.start()
    world.service.wait_until_ready()
    wait_for(lambda: world.learned() == 30, why="learned")
    assert world.service.stop() == 0
    assert shown(world) == {"movies": (20, 0), "books": (10, 0)}
    for n in range(7):
        world.rate("movies", f"u{n}", "m1", 4)
    world.producer.flush()
    assert shown(world) == {"movies": (20, 7), "books": (10, 0)}


def set_quotas(world: World, consumer: int, producer: int) -> None:
    """Let the service read and write this many bytes a second."""
    rates = f"consumer_byte_rate={consumer},producer_byte_rate={producer}"
    name = ["--entity-type", "clients", "--entity-name", world.prefix]
    kafka_tool(CONFIGS, "--bootstrap-server", world.bootstrap, "--alter", "--add-config", rates, *name)


def test_quotas_make_it_slow_and_nothing_else(world: World) -> None:
    """A broker that throttles is not called silent: the service gets ready, each event is learned once, each dead
    letter written."""
    set_quotas(world, 20_000, 2_000)
    world.fill(30)
    world.service.start()
    world.service.wait_until_ready()
    begun = time.monotonic()
    text = "a plain text " * 10
    for n in range(1500):
        if n % 50 == 0:
            world.raw("movies", f"u{n}", b'{"oops": "%s"}' % (b"x" * 500))
        world.rate("movies", f"u{n % 7}", f"m{n % 20}", 4, event_id=f"q{n}", note=text)
    world.producer.flush()
    told = set()

    def learned() -> bool:
        told.add(world.service.get("/readyz"))
        return world.learned() == 1530

    wait_for(learned, 180, why="all is learned")
    assert time.monotonic() - begun > 5, "nothing was throttled"
    silent = [line for _, line in told if "has not answered" in line]
    assert silent == []
    assert len(world.dead_letters(30)) == 30
    world.service.wait_until_ready()
    assert world.service.stop() == 0
    assert sum(world.counts(f"u{n}") for n in range(7)) == 1530
