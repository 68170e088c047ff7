"""The rights that the documentation lists are enough on Apache Kafka. A missing right is named with its ACL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient

from consumers.config.loader import load
from consumers.kafka_client.client import client_options
from consumers.kafka_client.retention import removals_kept
from tests.support.kafka.apache_kafka import Address
from tests.support.kafka.kafka_rights import Right
from tests.support.kafka.kafka_worlds import UserWorld, listed_rights
from tests.support.log.compaction import set_topic
from tests.support.service.running import wait_for


@pytest.fixture
def made(
    tmp_path: Path, apache: Address, redis_store: Any, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[UserWorld]:
    """A service whose user has every right that the documentation lists."""
    one = UserWorld(tmp_path, apache, redis_store.url, topic_prefix, monkeypatch)
    one.rights.give(*listed_rights(topic_prefix))
    yield one
    one.close()


def test_the_listed_rights_are_enough(made: UserWorld) -> None:
    """Events are learned, poison is set aside, canaries are read, offsets are committed; `check` finds nothing."""
    world, service = made.world, made.world.service
    checked = service.command("check", "-c", str(service.config))
    assert checked.returncode == 0, checked.stdout
    world.fill(30)
    world.raw("movies", "bad", b"{oops")
    world.producer.flush()
    service.start()
    service.wait_until_ready()
    wait_for(lambda: world.learned() == 30, why="30 learned")
    assert len(world.dead_letters(1)) == 1
    wait_for(lambda: service.metric("crosscurrent_canary_seconds_count") > 0, why="a canary")
    assert service.stop() == 0
    told = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert {line["event"] for line in told if line["level"] != "info"} == {"dead letter"}
    with KafkaAdminClient(bootstrap_servers=made.kafka.bootstrap) as admin:
        committed = admin.list_group_offsets({world.prefix: None})[world.prefix]
    assert sum(one.offset for tp, one in committed.items() if tp.topic.startswith("interactions.")) == 31


def test_how_long_removals_are_kept_is_a_guess_without_the_right_to_know(made: UserWorld) -> None:
    """Without the right Kafka's default counts; with it the topic's setting."""
    topic = f"items.{made.world.prefix}.movies"
    set_topic(made.kafka.bootstrap, topic, delete_retention_ms="5000")
    options = client_options(load(made.world.service.config).kafka)
    with KafkaAdminClient(**options) as user:
        assert removals_kept(user, [topic]) == {topic: 86_400.0}
        made.rights.give(("Describe_configs", "Topic", topic))
        assert removals_kept(user, [topic]) == {topic: 5.0}


TOPIC_RIGHTS = {
    "interactions": "Read on Topic:interactions.{0}.books",
    "items": "Read on Topic:items.{0}.movies",
    "forget": "Read on Topic:{0}.forget",
    "dead letters": "Write on Topic:{0}.dead",
}


@pytest.mark.parametrize("lacking", TOPIC_RIGHTS)
def test_a_start_without_a_right_names_topic_and_acl(made: UserWorld, lacking: str) -> None:
    """The exit code is 2, with one line. It does not ask to create a topic that exists."""
    acl = TOPIC_RIGHTS[lacking].format(made.world.prefix)
    operation, _, name = acl.partition(" on Topic:")
    made.rights.take((operation, "Topic", name))
    service = made.world.service
    done = service.command("run", "-c", str(service.config))
    assert done.returncode == 2, done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert f"Give User:{made.user} the ACLs: {acl}" in done.stderr
    assert "reate" not in done.stderr


def test_a_start_without_any_right_names_every_topic(made: UserWorld) -> None:
    """One message names all topics, and says why Kafka does not tell whether they exist."""
    made.rights.take(*made.rights.given())
    done = made.world.service.command("run", "-c", str(made.world.service.config))
    assert done.returncode == 2
    assert "Kafka hides topics from a user without Describe" in done.stderr
    for kind in ("interactions", "items"):
        for domain in ("movies", "books"):
            assert f"Read on Topic:{kind}.{made.world.prefix}.{domain}" in done.stderr


def test_check_names_each_right_that_lacks(made: UserWorld) -> None:
    """`check` prints a line for each topic, with its ACL."""
    made.rights.take(*made.rights.given())
    checked = made.world.service.command("check", "-c", str(made.world.service.config))
    assert checked.returncode == 2
    for acl in TOPIC_RIGHTS.values():
        assert f"Give User:{made.user} the ACLs: {acl.format(made.world.prefix)}" in checked.stdout


def test_describe_without_read_is_told_at_the_start(made: UserWorld) -> None:
    """The topic can be seen, so without the check only the first fetch would fail."""
    topic = f"interactions.{made.world.prefix}.books"
    made.rights.take(("Read", "Topic", topic))
    made.rights.give(("Describe", "Topic", topic))
    done = made.world.service.command("run", "-c", str(made.world.service.config))
    assert done.returncode == 2
    assert f"no right to read {topic}. Give" in done.stderr


def test_without_the_right_to_its_group_it_runs_without_commits(made: UserWorld) -> None:
    """Only lag tools miss the offsets. The service says so once."""
    made.rights.take(("Read", "Group", made.world.prefix))
    made.world.fill(30)
    service = made.world.service
    service.start()
    service.wait_until_ready()
    wait_for(lambda: made.world.learned() == 30, why="30 learned")
    group = made.world.prefix
    told = f"no right to kafka.group_id {group}. Give User:{made.user} the ACLs: Read on Group:{group}"
    wait_for(lambda: told in service.log.read_text(), why=told)
    assert service.stop() == 0
    assert service.log.read_text().count(told) == 1


def test_a_right_that_is_taken_away_while_it_runs(made: UserWorld) -> None:
    """/readyz names topic and ACL, and other topics go on. With the right back, reading goes on where it was."""
    world, service = made.world, made.world.service
    world.fill(30)
    service.start()
    service.wait_until_ready()
    wait_for(lambda: world.learned() == 30, why="30 learned")
    taken: Right = ("Read", "Topic", f"interactions.{world.prefix}.books")
    made.rights.take(taken)
    acl = f"Read on Topic:{taken[2]}"
    wait_for(lambda: acl in service.get("/readyz")[1], 10, why="not ready within 10 s")
    for n in range(20):
        world.rate("books" if n % 2 else "movies", "ann", f"{'b' if n % 2 else 'm'}{n}", 4)
    world.producer.flush()
    wait_for(lambda: world.learned() == 40, why="the other topic's events are learned")
    assert service.get("/readyz")[0] == 503
    made.rights.give(taken)
    wait_for(lambda: world.learned() == 50, 20, why="it goes on where it was")
    service.wait_until_ready()
    assert service.stop() == 0


def test_dead_letters_without_the_right_to_write_them(made: UserWorld) -> None:
    """/readyz names topic and ACL within 10 s. Learning goes on, and the letter is written once the right is back."""
    world, service = made.world, made.world.service
    world.fill(30)
    service.start()
    service.wait_until_ready()
    right: Right = ("Write", "Topic", f"{world.prefix}.dead")
    made.rights.take(right)
    world.raw("movies", "bad", b"{oops")
    world.rate("movies", "ann", "m1", 4)
    world.producer.flush()
    wait_for(lambda: f"Write on Topic:{right[2]}" in service.get("/readyz")[1], 12, why="not ready, and why")
    wait_for(lambda: world.learned() == 31, why="learning goes on")
    made.rights.give(right)
    service.wait_until_ready()
    assert len(world.dead_letters(1)) == 1
    assert service.stop() == 0
