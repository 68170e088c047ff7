"""Choose the broker under the rows: an embedded one for each, or one that runs already."""

from __future__ import annotations

import contextlib
import uuid
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

import structlog
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from consumers.bench.parts.topics import Topics
from consumers.config.schema import KafkaConfig
from consumers.demo.embedded_servers import Broker
from consumers.errors import Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.problems.diagnostics import why_unreachable

EMBEDDED = "embedded"
RELEASES = (
    (7, "3.3"), (8, "3.4"), (9, "3.5"), (12, "3.6"), (15, "3.7"), (20, "3.8"), (21, "3.9"), (22, "4.0"), (26, "4.1"),
    (28, "4.2"), (30, "4.3"), (31, "4.4"), (34, "4.5 or later"),
)  # fmt: skip
"""The first level of the feature metadata.version in each release of Apache Kafka (`MetadataVersion`).

A broker does not tell its release, only the newest level that it supports.
"""
log = structlog.get_logger()


class Place(NamedTuple):
    """Where a row's events go: a broker, and the prefix of the row's topics."""

    bootstrap: str
    prefix: str


class Brokers:
    """Gives each row a broker. name: what figures were measured on.

    kafka: `HOST:PORT` of a broker that runs; "" for an embedded one a row. Raises Stop if it does not answer.
    """

    def __init__(self, kafka: str = "") -> None:
        self._kafka = kafka
        self.name = _told(kafka) if kafka else EMBEDDED

    @contextlib.contextmanager
    def broker(self) -> Iterator[Place]:
        """Yield a place without topics. At the end its topics are deleted. Raises EmbeddedError."""
        if not self._kafka:
            with Broker() as broker:
                yield Place(broker.bootstrap, "")
            return
        prefix = f"crosscurrent-bench-{uuid.uuid4().hex[:8]}."
        try:
            yield Place(self._kafka, prefix)
        finally:
            try:
                Topics(prefix).delete(self._kafka)
            except KafkaError as error:  # the figures are good all the same
                log.warning(
                    "topics of the run are not deleted", begin_with=prefix, error=type(error).__name__
                )


def _told(kafka: str) -> str:
    """Return the broker's name and release, from its own answer. Raises Stop if it does not answer."""
    config = KafkaConfig([kafka])
    try:
        with KafkaAdminClient(**client_options(config)) as admin:
            return name_of(admin.describe_features())
    except (KafkaError, OSError, ValueError) as error:
        raise Stop(f"--kafka: {why_unreachable(config, error)}") from error


def name_of(features: dict[str, Any]) -> str:
    """Return the broker's name by its features, as kafka-python describes them."""
    _, newest = features.get("metadata.version", {}).get("supported", (0, 0))
    at = bisect_right([level for level, _ in RELEASES], newest)
    return f"Apache Kafka {RELEASES[at - 1][1]}" if at else "another broker that speaks Kafka's protocol"
