"""Name the brokers that tests run on: always the embedded one, and Apache Kafka where its jars are."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from consumers.demo.embedded_servers import Broker
from tests.support.kafka.apache_kafka import VARIABLE, ApacheKafka, started_kafka

BROKERS = {"embedded": "broker", "apache": "apache"}
"""Kinds of brokers, and the fixture of each."""


def bootstrap_of(request: pytest.FixtureRequest, kind: str) -> str:
    """Return `HOST:PORT` of a broker of this kind; with `--kafka-bootstrap` that broker for every kind."""
    given: str | None = request.config.getoption("--kafka-bootstrap")
    if given is None:
        return str(request.getfixturevalue(BROKERS[kind]).bootstrap)
    if kind != "embedded":
        pytest.skip("--kafka-bootstrap names the one broker to test")
    return given


def started_broker(folder: Path) -> AbstractContextManager[ApacheKafka | Broker]:
    """Start Apache Kafka if its jars are named, else the embedded broker. folder: for Apache Kafka's log."""
    return started_kafka(folder) if os.environ.get(VARIABLE) else Broker()
