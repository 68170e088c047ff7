"""A store that is away, frozen, slow, read-only, full or emptied loses nothing; /readyz says why."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from consumers.demo.embedded_servers import Store
from tests.support.log.proxy import Proxy
from tests.support.service.faults import Watch, watched
from tests.support.service.running import wait_for
from tests.support.service.service_world import DOMAINS, World

pytestmark = pytest.mark.timeout(400)  # several starts, on a machine that may be busy

AWAY_SECONDS = 5.0
KEYS_AT_MOST = 300
"""Keys that these few users and items can have in the store."""


class Faults(Watch):
    """Start one service for all faults here. Each test also shows that the service recovers."""

    def __init__(self, world: World, store: Store, proxy: Proxy) -> None:
        super().__init__(world)
        self.store, self.proxy = store, proxy
        world.store.close()
        world.store = redis.Redis.from_url(store.url, legacy_responses=False)

    def learns_on(self) -> None:
        """Events are learned while nothing can be published, and one value waits for each key."""
        self.produce(400)
        self.wait_until_learned()
        time.sleep(2.5)  # the gauge is two seconds old at most
        assert 0 < self.world.service.metric("crosscurrent_publish_backlog") < KEYS_AT_MOST

    def keys(self) -> set[bytes]:
        return set(self.world.store.scan_iter(f"{self.world.prefix}:*"))


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory, one_bootstrap: str) -> Iterator[Faults]:
    with Store() as store, Proxy(store.port) as proxy:
        folder = tmp_path_factory.mktemp("store-faults")
        world = World(folder, one_bootstrap, f"redis://127.0.0.1:{proxy.port}/0", f"sf{os.getpid()}")
        yield from watched(world, lambda world: Faults(world, store, proxy))


def test_a_frozen_store(faults: Faults) -> None:
    """The store accepts connections and does not answer: not ready, learning goes on, and then everything arrives."""
    os.kill(faults.store.pid, signal.SIGSTOP)
    begun = time.monotonic()
    faults.wait_until_unready("the store has not answered for ")
    faults.learns_on()
    time.sleep(max(0.0, begun + AWAY_SECONDS - time.monotonic()))
    os.kill(faults.store.pid, signal.SIGCONT)
    faults.wait_until_caught_up()


def test_a_store_that_restarts_empty(faults: Faults) -> None:
    """A store that was killed and comes back empty gets everything active again."""
    before = faults.keys()
    faults.store.stop()
    begun = time.monotonic()
    faults.wait_until_unready("the store has not answered for ")
    faults.learns_on()
    time.sleep(max(0.0, begun + AWAY_SECONDS - time.monotonic()))
    faults.store.start()
    faults.wait_until_caught_up()
    wait_for(lambda: before <= faults.keys(), why="every key again")


def test_a_slow_store(faults: Faults) -> None:
    """With answers that take 2 s everything is written, only later. At 4 s /readyz says so."""
    faults.proxy.delay = 2.0
    faults.produce(200)
    wait_for(lambda: faults.counts() == faults.expected, why="written through a slow line")
    faults.proxy.delay = 4.0
    faults.wait_until_unready("the store has not answered for ")
    faults.proxy.delay = 0.0
    faults.wait_until_caught_up()


def test_a_read_only_replica(faults: Faults) -> None:
    """A replica answers and refuses writes: not ready for that reason, until it is a primary again."""
    faults.world.store.replicaof("127.0.0.1", 1)
    faults.produce(1)
    faults.wait_until_unready("the store refuses writes: ReadOnlyError")
    faults.learns_on()
    faults.world.store.replicaof("NO", "ONE")
    faults.wait_until_caught_up()


def test_a_full_store(faults: Faults) -> None:
    """A full store without eviction refuses writes. They are kept, and written once there is room."""
    faults.world.store.config_set("maxmemory-policy", "noeviction")
    faults.world.store.config_set("maxmemory", 1)
    faults.produce(1)
    faults.wait_until_unready("the store refuses writes: OutOfMemoryError")
    faults.learns_on()
    faults.world.store.config_set("maxmemory", 0)
    faults.wait_until_caught_up()


def kinds(keys: set[bytes]) -> set[str]:
    return {key.decode().split(":")[1] for key in keys}


def test_a_flushed_store(faults: Faults) -> None:
    """FLUSHALL in a quiet stream: every key of every active user, item and domain is there again, without a restart."""
    every = {"user", "rec", "item", "similar", "domain", "popular", "meta", "canary"}
    wait_for(lambda: kinds(faults.keys()) == every, why="canaries and neighbours, which take some seconds")
    before = faults.keys()
    faults.world.store.flushall()
    wait_for(lambda: before <= faults.keys(), why="every key again")
    faults.wait_until_caught_up()
    assert {f"{faults.world.prefix}:popular:{d}".encode() for d in DOMAINS} <= faults.keys()
    wait_for(lambda: told(faults, "the store is filled again"), why="the log tells when all is there")


def told(faults: Faults, event: str) -> list[dict[str, Any]]:
    """Return the log's lines of this event."""
    lines = map(json.loads, faults.world.service.log.read_text().splitlines())
    return [line for line in lines if line["event"] == event]


def test_the_log_tells_of_readiness(faults: Faults) -> None:
    """One line when it turns not ready, with the reason, and one when it is ready again."""
    before = len(told(faults, "ready"))
    os.kill(faults.store.pid, signal.SIGSTOP)
    faults.wait_until_unready("the store has not answered for ")
    time.sleep(2.0)
    os.kill(faults.store.pid, signal.SIGCONT)
    wait_for(lambda: len(told(faults, "ready")) > before, why="ready again")
    reasons = [line["reason"] for line in told(faults, "not ready")]  # an equal one within 30 s is held back
    assert any(reason.startswith("the store has not answered for ") for reason in reasons)
