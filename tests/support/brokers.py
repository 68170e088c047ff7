"""The brokers that tests run on: the embedded one always, Apache Kafka where it can be had."""

from __future__ import annotations

import pytest

BROKERS = {"embedded": "broker", "apache": "apache"}
"""Kinds of brokers, and the fixture of each."""


def bootstrap_of(request: pytest.FixtureRequest, kind: str) -> str:
    """Return `HOST:PORT` of that broker; with `--kafka-bootstrap` of the one that it names, whatever the kind."""
    given: str | None = request.config.getoption("--kafka-bootstrap")
    if given is None:
        return str(request.getfixturevalue(BROKERS[kind]).bootstrap)
    if kind != "embedded":
        pytest.skip("--kafka-bootstrap names the one broker to test")
    return given
