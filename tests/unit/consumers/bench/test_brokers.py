"""The report names the broker from the broker's own answer."""

from __future__ import annotations

import pytest

from consumers.bench.parts.topics import Topics
from consumers.bench.run.brokers import EMBEDDED, Brokers, name_of


@pytest.mark.parametrize(
    ("newest", "name"),
    [
        (7, "Apache Kafka 3.3"),
        (25, "Apache Kafka 4.0"),
        (30, "Apache Kafka 4.3"),
        (33, "Apache Kafka 4.4"),
        (40, "Apache Kafka 4.5 or later"),
    ],
)
def test_the_newest_level_names_the_release(newest: int, name: str) -> None:
    """The newest level that the broker supports names the release, not the level of its cluster."""
    assert name_of({"metadata.version": {"supported": (7, newest), "finalized": (7, 7)}}) == name


def test_another_broker() -> None:
    """A broker without levels is not called Apache Kafka."""
    assert name_of({"kraft.version": {"supported": (0, 1)}}) == "another broker that speaks Kafka's protocol"


def test_without_an_address_it_is_the_embedded_one() -> None:
    """Without an address no broker is asked."""
    assert Brokers().name == EMBEDDED


def test_no_one_deletes_every_topic() -> None:
    """Topics without the run's prefix are never deleted."""
    with pytest.raises(ValueError, match="without a prefix"):
        Topics().delete("nowhere:1")
