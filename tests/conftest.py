"""What every test may use: options, the servers to test against, and names that do not collide."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import NoReturn

import pytest

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


@pytest.fixture(scope="session")
def missing() -> Callable[[object], NoReturn]:
    """Skips the test for something not on this machine; in CI (CROSSCURRENT_CI=1) that is a failure."""

    def skip_or_fail(what: object) -> NoReturn:
        if os.environ.get("CROSSCURRENT_CI") == "1":
            pytest.fail(str(what), pytrace=False)
        pytest.skip(str(what))

    return skip_or_fail


@pytest.fixture
def topic_prefix() -> str:
    """A name no other test of this or an earlier run uses: tests on one broker must not meet.

    Legal in topic names, domain names and Redis keys: `interactions.{topic_prefix}-movies`.
    """
    return f"t{os.getpid()}-{next(_COUNTER)}"
