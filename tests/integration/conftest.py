"""Real servers, started once a session: embedded broker, redis-server, Valkey, or what the options name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn

import pytest
import redis

from consumers.embedded import Broker, NotInstalledError, Server, Store

Missing = Callable[[object], NoReturn]


def _running(make: Callable[[], Server], missing: Missing) -> Iterator[Server]:
    try:
        server = make()
        server.start()
    except NotInstalledError as error:
        missing(error)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def broker(missing: Missing) -> Iterator[Server]:
    """The embedded broker (a `Broker`), for tests that need its process; others take `bootstrap`."""
    yield from _running(Broker, missing)


@pytest.fixture(scope="session")
def bootstrap(request: pytest.FixtureRequest) -> str:
    """`HOST:PORT` of the broker to use: `--kafka-bootstrap`, else the embedded one."""
    given: str | None = request.config.getoption("--kafka-bootstrap")
    return given or str(request.getfixturevalue("broker").bootstrap)


@pytest.fixture
def own_broker(missing: Missing) -> Iterator[Server]:
    """A broker of this test's own, to stop and start at will; a stop loses its log."""
    yield from _running(Broker, missing)


@pytest.fixture(scope="session")
def redis_store(missing: Missing) -> Iterator[Server]:
    """A real redis-server (a `Store`)."""
    yield from _running(lambda: Store("redis"), missing)


@pytest.fixture(scope="session")
def valkey_store(missing: Missing) -> Iterator[Server]:
    """A real Valkey (a `Store`)."""
    yield from _running(lambda: Store("valkey"), missing)


@pytest.fixture(params=["redis", "valkey"])
def redis_url(request: pytest.FixtureRequest) -> str:
    """An empty store. The test runs on Redis and on Valkey; with `--redis-url` on that, as it is found."""
    given: str | None = request.config.getoption("--redis-url")
    if given is not None:
        if request.param == "valkey":
            pytest.skip("--redis-url names the one store to test")
        return given
    url = str(request.getfixturevalue(f"{request.param}_store").url)
    with redis.Redis.from_url(url, legacy_responses=False) as client:
        client.flushall()
    return url


@pytest.fixture
def own_store(missing: Missing) -> Iterator[Server]:
    """A store of this test's own, to stop and start at will (Redis where there is one, else Valkey)."""
    yield from _running(Store, missing)
