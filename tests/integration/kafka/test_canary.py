"""Canaries are timed from Kafka to the store without any event, lost when the store is away, and never learned."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import TopicAuthorizationFailedError
from prometheus_client import CollectorRegistry

from consumers.config.schema import KafkaConfig
from consumers.events.record import Record
from consumers.kafka_client.topics import create_canary_topic
from consumers.service import canary
from consumers.service.canary import Canaries, Canary
from consumers.source.kafka import KafkaSource
from consumers.source.options import SourceOptions
from models.state.checkpoint import CheckpointDirectory
from serving.metrics import Metrics
from tests.support.service.running import wait_for
from tests.support.service.service_world import World


@pytest.fixture
def world(tmp_path: Path, bootstrap: str, own_store: Any, topic_prefix: str) -> Iterator[World]:
    made = World(tmp_path, bootstrap, own_store.url, topic_prefix)
    yield made
    made.close()


def test_a_quiet_service_gives_a_sign_of_life(world: World) -> None:
    """Without events the key is written again and again and timed, and nothing counts as learned or lagging."""
    service = world.service
    service.start()
    service.wait_until_ready()
    key = f"{world.prefix}:canary"
    first = wait_for(lambda: world.store.hget(key, "sent_ts"), why="a canary in the store")
    wait_for(lambda: world.store.hget(key, "sent_ts") > first, why="a newer one")
    wait_for(lambda: service.metric("crosscurrent_canary_seconds_count") >= 2, why="two measured")
    assert service.metric("crosscurrent_canary_lost_total") == 0
    assert service.metric("crosscurrent_events_total") == 0
    assert service.metric("crosscurrent_dead_letters_total") == 0
    assert service.metric("crosscurrent_freshness_seconds_count") == 0
    assert "canary" not in "".join(line for line in service.get("/metrics")[1].splitlines() if "lag" in line)
    world.fill(30)
    wait_for(lambda: world.learned() == 30, why="events among canaries are learned")
    assert service.stop() == 0
    saved, _ = CheckpointDirectory(service.config.parent / "checkpoints", read_only=True).load()
    assert saved is not None
    assert f"{world.prefix}.canary" not in repr(saved["offsets"])
    assert f"{world.prefix}.canary" not in repr(saved["identity"])


def test_check_creates_its_topic(world: World) -> None:
    """`check` says what will become of canaries; a missing topic is no failure."""
    words = ("check", "--config", str(world.service.config))
    done = world.service.command(*words)
    assert done.returncode == 0, done.stdout
    assert f"topic {world.prefix}.canary: missing: the service creates it" in done.stdout
    assert f"topic {world.prefix}.canary: created" in world.service.command(*words, "--create-topics").stdout


def canaries(bootstrap: str, topic: str, **options: Any) -> tuple[Canaries, Metrics]:
    metrics = Metrics(CollectorRegistry())
    config = KafkaConfig(bootstrap_servers=[bootstrap], canary_topic=topic, canary_seconds=0.1)
    made = Canaries(config, "cc:canary", metrics, lambda: True, **options)
    return made, metrics


def value(metrics: Metrics, name: str) -> float:
    found = metrics.registry.get_sample_value(f"crosscurrent_{name}")
    assert found is not None
    return found


def test_what_is_never_readable_is_lost_and_late_ones_do_not_count_twice(
    bootstrap: str, topic_prefix: str
) -> None:
    """A canary that is not written within `lost_after` is lost. A later acknowledgement changes nothing."""
    topic = f"{topic_prefix}.canary"
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        create_canary_topic(admin, topic)
    watched, metrics = canaries(bootstrap, topic, lost_after=0.5)
    watched.start()
    with KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        (message,) = wait_for(lambda: next(iter(consumer.poll(200, max_records=1).values()), None))
    first = canary.canary(Record(topic, 0, message.offset, message.timestamp, message.key, message.value))
    watched.learned(first)
    (write,) = watched.writes()
    assert watched.writes() == []
    wait_for(lambda: value(metrics, "canary_lost_total") >= 2, why="two lost")
    watched.close()
    watched.written(write)
    assert value(metrics, "canary_seconds_count") == 0
    watched.learned(Canary("another process", 1, 0))
    assert watched.writes() == []


def test_a_denied_topic_ends_canaries_and_nothing_else(bootstrap: str, topic_prefix: str) -> None:
    """If an ACL forbids writing, canaries end, and none counts as lost. (The embedded broker has no ACLs.)"""

    class Denied(KafkaProducer):
        def send(self, *_: Any, **__: Any) -> None:
            raise TopicAuthorizationFailedError

    watched, metrics = canaries(bootstrap, f"{topic_prefix}.canary", lost_after=0.0, connect=Denied)
    watched.start()
    wait_for(lambda: "canaries" not in {t.name for t in threading.enumerate()}, why="its thread has ended")
    watched.count_lost()
    assert value(metrics, "canary_lost_total") == 0
    watched.close()


def test_a_source_goes_on_without_a_topic_it_may_not_read(bootstrap: str, topic_prefix: str) -> None:
    """Events still come after the broker has refused the canaries' topic."""
    config = KafkaConfig(bootstrap_servers=[bootstrap])
    events, own = f"{topic_prefix}.events", f"{topic_prefix}.canary"
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        create_canary_topic(admin, events)
    refused = []

    class RefusesOnce(KafkaConsumer):
        def poll(self, **options: Any) -> Any:
            if not refused:
                refused.append(True)
                raise TopicAuthorizationFailedError({own})
            return super().poll(**options)

    options = SourceOptions(canary_topic=own)
    source = KafkaSource(config, {events: ("d", "interactions")}, options, RefusesOnce)
    assert source.canaries
    source.start({}, {})
    with KafkaProducer(bootstrap_servers=bootstrap) as producer:
        producer.send(events, key=b"k", value=b"one")
        producer.send(own, key=b"k", value=b"a canary")
    found: list[bytes | None] = []
    wait_for(lambda: found.extend(r.value for r in source.poll(0.1)) or found)
    assert found == [b"one"]
    assert source.canaries == set()
    source.close()
