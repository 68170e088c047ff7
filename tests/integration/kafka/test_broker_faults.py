"""The broker is frozen, or its connections are cut, within a stream: the service goes on, and counts stay exact."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

import pytest

from consumers.config.schema import KafkaConfig
from consumers.dead_letters.topic_reader import LetterLog
from consumers.demo.embedded_servers import Broker, NotInstalledError
from tests.support.log.proxy import Proxy
from tests.support.service.faults import Watch, watched
from tests.support.service.running import wait_for
from tests.support.service.service_world import World

pytestmark = pytest.mark.timeout(400)  # several starts, on a machine that may be busy

AWAY_SECONDS = 5.0


class ProxiedBroker(Broker):
    """Start a broker that tells its clients the proxy's address, so that all traffic goes through the proxy."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__()
        self.proxy = proxy

    def command(self) -> Sequence[str]:
        line = list(super().command())
        line[line.index("--advertised-listener-url") + 1] = f"tcp://127.0.0.1:{self.proxy.port}"
        self.proxy.target = self.port
        return line


class Faults(Watch):
    """One service for all faults here. `poison` counts the bad records among the good ones."""

    def __init__(self, world: World, broker: Broker, proxy: Proxy) -> None:
        super().__init__(world)
        self.broker, self.proxy = broker, proxy
        self.poison = 0

    def produce(self, events: int, flush: bool = True) -> None:
        for _ in range(events // 50):
            self.poison += 1
            self.world.raw("movies", "bad", b"{oops %d" % self.poison)
        super().produce(events, flush)

    def goes_on(self) -> None:
        """Check that records of before, during and after the fault are learned once and saved, without poison."""
        self.produce(100)
        self.wait_until_caught_up()
        assert self.world.service.process is not None
        assert self.world.service.process.poll() is None
        wait_for(
            lambda: self.world.service.metric("crosscurrent_checkpoint_age_seconds") < 2, why="a checkpoint"
        )
        with LetterLog(
            KafkaConfig([self.world.bootstrap], dead_letter_topic=f"{self.world.prefix}.dead")
        ) as log:
            assert len({letter.value for letter in log.letters()}) == self.poison


@pytest.fixture(scope="module")
def faults(
    tmp_path_factory: pytest.TempPathFactory, redis_store: object, missing: Callable[[object], NoReturn]
) -> Iterator[Faults]:
    with Proxy() as proxy:
        try:
            broker = ProxiedBroker(proxy).start()
        except NotInstalledError as error:
            missing(error)
        folder, prefix = tmp_path_factory.mktemp("broker-faults"), f"bf{os.getpid()}"
        world = World(folder, f"127.0.0.1:{proxy.port}", redis_store.url, prefix)  # type: ignore[attr-defined]
        try:
            yield from watched(world, lambda world: Faults(world, broker, proxy))
        finally:
            broker.stop()


def test_a_frozen_broker(faults: Faults) -> None:
    """The broker accepts connections and does not answer for a while. The loop turns, and goes on where it was."""
    faults.produce(300)
    os.kill(faults.broker.pid, signal.SIGSTOP)
    faults.produce(100, flush=False)
    time.sleep(AWAY_SECONDS)
    assert faults.world.service.get("/healthz")[0] == 200
    os.kill(faults.broker.pid, signal.SIGCONT)
    faults.goes_on()


def test_cut_connections(faults: Faults) -> None:
    """Connections are cut again and again under load, once for a while: nothing is lost or learned twice."""
    for _ in range(5):
        faults.produce(60, flush=False)
        time.sleep(0.2)
        faults.proxy.cut()
        time.sleep(0.3)
    faults.proxy.refusing = True
    faults.proxy.cut()
    time.sleep(AWAY_SECONDS)
    assert faults.world.service.get("/healthz")[0] == 200
    faults.proxy.refusing = False
    faults.goes_on()
