"""No request to forget in a compacted topic of Apache Kafka is missed or carried out twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from consumers.cli.check import _check_kafka
from consumers.cli.finding import Finding
from consumers.kafka_client.retention import requests_may_expire
from tests.support.kafka.apache_kafka import Address
from tests.support.log.compaction import CompactedTopic
from tests.support.log.item_lives import ItemLives, request


@pytest.fixture
def world(tmp_path: Path, apache: Address, topic_prefix: str) -> ItemLives:
    """A service that has learned two events of each of three users."""
    made = ItemLives(tmp_path, apache.bootstrap, topic_prefix)
    for user in ("alice", "bob", "carol"):
        made.rate(user, "i1", "i2")
    assert events_of(made) == {"alice": 2, "bob": 2, "carol": 2}
    return made


def events_of(world: ItemLives, **options: bool) -> dict[str, int]:
    """Run the service until it has learned everything. Return the events that it then knows, by user."""
    full = world.live(**options).arms.full
    return {user: full.events_of(user)["movies"] for user in ("alice", "bob", "carol") if user in full.users}


def test_requests_of_a_time_when_nothing_ran_survive_compaction(world: ItemLives) -> None:
    """Compaction keeps a user's newest request. It is carried out, and counts from its own time."""
    world.requests.send(request("alice"), request("bob"))
    world.rate("alice", "i3")
    world.requests.send(request("alice"))
    world.requests.compact()
    world.rate("alice", "i4")
    assert events_of(world) == {"alice": 1, "carol": 2}


def test_a_request_that_was_deleted_unread_is_carried_out(world: ItemLives) -> None:
    """A request was deleted by a null value, and compaction left only that record."""
    key, value = request("alice")
    world.requests.send((key, value), (key, None))
    world.requests.compact()
    assert events_of(world) == {"bob": 2, "carol": 2}


def test_a_request_that_is_read_again_leaves_what_came_after_it(world: ItemLives) -> None:
    """The topic was created again from a copy, so all of it is read again."""
    world.requests.send(request("alice"))
    assert events_of(world) == {"bob": 2, "carol": 2}
    world.rate("alice", "i3", "i4")
    assert events_of(world) == {"alice": 2, "bob": 2, "carol": 2}
    copy = world.requests.holds()
    world.requests.delete()
    world.requests.create()
    world.requests.send(*copy)
    assert events_of(world, accept_gap=True) == {"alice": 2, "bob": 2, "carol": 2}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"cleanup_policy": "compact"}, None),
        ({"cleanup_policy": "delete", "retention_ms": "-1"}, None),
        ({"cleanup_policy": "delete"}, "cleanup.policy=delete, retention.ms=604800000"),
        ({"cleanup_policy": "compact,delete", "retention_bytes": "5000", "retention_ms": "-1"}, "bytes=5000"),
    ],
)
def test_a_topic_that_may_lose_requests(
    apache: Address, topic_prefix: str, settings: dict[str, str], told: str | None
) -> None:
    """There is no warning for compaction alone, nor for a topic that keeps everything."""
    topic = CompactedTopic(apache.bootstrap, topic_prefix, (b"", b""), **settings).topic
    with KafkaAdminClient(bootstrap_servers=apache.bootstrap) as admin:
        found = requests_may_expire(admin, topic)
        assert requests_may_expire(admin, "no.such.topic") is None
    assert (told in found) if told is not None and found is not None else found is told


def warnings(world: ItemLives) -> list[Finding]:
    """Return what `check` warns of, but for topics that other tests have made."""
    found = _check_kafka(world.settings, create=False)
    return [one for one in found if one.warns and "no domain of the config owns it" not in one.detail]


def test_check_and_the_start_warn_of_it(
    tmp_path: Path, apache: Address, topic_prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The warning does not stop the start, because nothing is lost yet."""
    world = ItemLives(tmp_path, apache.bootstrap, topic_prefix)
    assert not warnings(world)
    world.requests.delete()
    CompactedTopic(apache.bootstrap, world.requests.topic, (b"", b""), cleanup_policy="delete")
    (found,) = warnings(world)
    line = f"{world.requests.topic} deletes requests to forget after some time"
    assert found.good
    assert line in found.detail
    world.live()
    assert line in capsys.readouterr().out
