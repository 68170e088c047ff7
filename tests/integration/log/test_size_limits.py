"""Requests to forget, canaries and dead letters meet topics of Apache Kafka that take only small records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.config.loader import load
from consumers.dead_letters.topic_reader import LetterLog
from consumers.service.canary import Canaries
from serving.metrics import Metrics
from tests.support.kafka.apache_kafka import Address
from tests.support.log.compaction import CompactedTopic
from tests.support.log.item_lives import ItemLives, request
from tests.support.service.running import wait_for
from tests.support.service.service_world import World

TOO_SMALL = {"max_message_bytes": "60"}


@pytest.fixture
def world(tmp_path: Path, apache: Address, redis_store: Any, topic_prefix: str) -> Iterator[World]:
    made = World(tmp_path, apache.bootstrap, redis_store.url, topic_prefix)
    yield made
    made.close()


def test_a_request_to_forget_that_its_topic_refuses(world: World) -> None:
    """The exit code is 2, and one line says what to raise. Nothing is deleted, because the request failed."""
    topic = CompactedTopic(world.bootstrap, f"{world.prefix}.forget", request("filler"), **TOO_SMALL)
    world.store.set(f"{world.prefix}:user:{{alice}}", b"x")
    done = world.service.command("forget", "alice", "--config", str(world.service.config), "--wait", "0")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "nothing was requested and nothing deleted" in line
    assert f"{topic.topic} takes no record as large as this one" in line
    assert "raise its max.message.bytes" in line
    assert world.store.exists(f"{world.prefix}:user:{{alice}}")


def test_canaries_that_their_topic_refuses(
    tmp_path: Path, apache: Address, topic_prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused canaries count as lost, with the broker's reason in the log, and the next ones are tried."""
    lives = ItemLives(tmp_path, apache.bootstrap, topic_prefix)
    topic = CompactedTopic(apache.bootstrap, topic_prefix, (b"", b""), **TOO_SMALL).topic
    config, metrics = lives.settings.kafka, Metrics()
    config.canary_topic, config.canary_seconds = topic, 0.2
    canaries = Canaries(config, "cc:canary", metrics, lambda: True, lost_after=0.5)
    canaries.start()
    try:
        lost = metrics.registry.get_sample_value
        wait_for(lambda: (lost("crosscurrent_canary_lost_total") or 0) >= 2, 30, why="two are lost")
    finally:
        canaries.close()
    assert "canary not sent" in (said := capsys.readouterr().out)
    assert "MessageSizeTooLargeError" in said


def test_a_dead_letter_topic_with_a_smaller_limit_than_the_events(world: World) -> None:
    """The letter is cut, the stream goes on, and the checkpoint passes it."""
    CompactedTopic(
        world.bootstrap,
        f"{world.prefix}.small",
        (b"", b""),
        cleanup_policy="delete",
        max_message_bytes="2000",
    )
    config = world.service.config
    config.write_text(config.read_text().replace(f"{world.prefix}.dead", f"{world.prefix}.small"))
    world.fill(30)
    world.raw("movies", "u1", b"{" * 100_000)
    world.rate("movies", "u1", "m1", 4)
    world.producer.flush()
    world.service.start()
    world.service.wait_until_ready()
    wait_for(lambda: world.learned() == 31, why="what follows is learned")
    assert world.service.stop() == 0
    with LetterLog(load(config).kafka) as letters:
        (letter,) = letters.letters()
    assert letter.headers["truncated"] == "true"
    assert letter.headers["length"] == "100000"
    world.service.start()
    world.service.wait_until_ready()
    assert world.learned() == 0
    assert world.service.stop() == 0
