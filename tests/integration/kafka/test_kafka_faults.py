"""Apache Kafka is paused, or a topic is deleted or created again: the service says so, and goes on or ends in order."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient

from consumers.errors import STATE_UNUSABLE
from consumers.kafka_client.topics import create_topics
from tests.support.kafka.apache_kafka import Address, ApacheKafka
from tests.support.kafka.kafka_worlds import UserWorld, listed_rights
from tests.support.service.running import wait_for
from tests.support.service.service_world import World, started

UNREADY_SECONDS, READY_SECONDS = 10.0, 5.0
"""How soon /readyz must tell of a fault, and of its end."""


@pytest.fixture
def world(tmp_path: Path, apache: Address, redis_store: Any, topic_prefix: str) -> Iterator[World]:
    """A service that has learned 30 events and is ready."""
    with started(World(tmp_path, apache.bootstrap, redis_store.url, topic_prefix)) as running:
        yield running


def unready(world: World, reason: str, seconds: float = UNREADY_SECONDS) -> None:
    """Wait until /readyz says so, as long as it may take."""
    wait_for(lambda: reason in world.service.get("/readyz")[1], seconds, why=f"not ready: {reason}")
    assert world.service.get("/readyz")[0] == 503


def rate(world: World, domain: str, events: int) -> None:
    for n in range(events):
        world.rate(domain, f"u{n % 5}", f"{domain[0]}{n % 20}", 4)
    world.producer.flush()


def delete(world: World, topic: str) -> None:
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:
        admin.delete_topics([topic])


@pytest.fixture(params=["CLIENT", "TLS"])
def own_listener(
    request: pytest.FixtureRequest, own_apache: ApacheKafka, monkeypatch: pytest.MonkeyPatch
) -> ApacheKafka:
    """Start a broker of this test's own, for services with and without TLS."""
    address = own_apache.address()
    if request.param == "TLS":
        for key, value in {
            "BOOTSTRAP_SERVERS": json.dumps([address.at("TLS")]),
            "SECURITY_PROTOCOL": "SSL",
            "SSL_CAFILE": str(address.authority.cert),
        }.items():
            monkeypatch.setenv(f"CROSSCURRENT_KAFKA__{key}", value)
    return own_apache


def test_a_paused_broker(
    tmp_path: Path, own_listener: ApacheKafka, redis_store: Any, topic_prefix: str
) -> None:
    """The broker is silent for longer than a request may take. The service is soon not ready, and later ready.

    Over TLS, handshakes wait for the broker during that time.
    """
    (broker,) = own_listener.brokers.values()
    with started(World(tmp_path, own_listener.bootstrap, redis_store.url, topic_prefix)) as world:
        broker.pause()
        try:
            unready(world, f"(broker {broker.number} at ")
            time.sleep(35)
            assert world.service.get("/readyz")[0] == 503
            assert world.service.get("/healthz")[0] == 200
        finally:
            broker.go_on()
        with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:
            admin.describe_cluster()  # from here on the broker answers
        wait_for(lambda: world.service.get("/readyz")[0] == 200, READY_SECONDS, why="ready")
        rate(world, "movies", 10)
        wait_for(lambda: world.learned() == 40, why="what came after is learned")
        assert world.service.stop() == 0


def test_a_password_that_is_changed_while_it_runs(
    tmp_path: Path,
    own_apache: ApacheKafka,
    redis_store: Any,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When connections end, the old password is refused: /readyz names it. The new one is read from its file."""
    made = UserWorld(tmp_path, own_apache.address(), redis_store.url, topic_prefix, monkeypatch)
    made.rights.give(*listed_rights(topic_prefix))
    (broker,) = own_apache.brokers.values()
    with started(made.world) as world:
        made.set_password("another-password", tell=False)
        broker.kill()
        broker.start()
        unready(world, f"refuses the user {made.user} or the password", 30)
        rate(world, "movies", 10)
        made.set_password("another-password")
        wait_for(lambda: world.learned() == 40, 30, why="it goes on where it was")
        world.service.wait_until_ready()
        assert world.service.stop() == 0
        said = world.service.log.read_text()
        assert "another-password" not in said
        assert "Traceback" not in said


def test_a_topic_that_is_deleted_while_it_runs(world: World) -> None:
    """/readyz and one log line name the topic. Events of other topics are learned, and their offsets committed."""
    gone, other = (f"interactions.{world.prefix}.{domain}" for domain in ("books", "movies"))
    delete(world, gone)
    unready(world, f"missing topics: {gone}")
    rate(world, "movies", 20)
    wait_for(lambda: world.learned() == 50, why="the other topic goes on")
    group = world.prefix
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:

        def committed() -> int:
            offsets = admin.list_group_offsets({group: None})[group]
            return sum(one.offset for tp, one in offsets.items() if tp.topic == other)

        wait_for(lambda: committed() == 40, why="its offsets are committed")
    assert world.service.stop() == 0
    assert world.service.log.read_text().count("a topic is gone") == 1


def stopped_by_a_topic_made_anew(world: World, records: int) -> str:
    """Make a topic anew under a running service. Return its name once the service has ended for that (exit code 4)."""
    topic = f"interactions.{world.prefix}.books"
    delete(world, topic)
    create_topics({"bootstrap_servers": world.bootstrap}, [(topic, "interactions")], 2)
    rate(world, "books", records)
    assert world.service.process is not None
    assert world.service.process.wait(60) == STATE_UNUSABLE
    return topic


def test_a_topic_that_is_made_anew_while_it_runs(world: World) -> None:
    """Old offsets mean nothing in the new topic: exit code 4, with the line that a restart would print."""
    topic = stopped_by_a_topic_made_anew(world, records=3)
    told = json.loads(world.service.log.read_text().strip().splitlines()[-1])["event"]
    assert f"the checkpoint belongs to another log (topic:{topic} differ)" in told
    again = world.service.command("run", "-c", str(world.service.config))
    assert again.returncode == STATE_UNUSABLE
    assert json.loads(again.stderr)["event"] == told


def test_another_topic_under_the_same_name_with_as_many_records(world: World) -> None:
    """The old offsets exist in the new topic, so no fetch fails. The service ends all the same."""
    topic = stopped_by_a_topic_made_anew(world, records=200)
    assert f"topic:{topic} differ" in world.service.log.read_text()
