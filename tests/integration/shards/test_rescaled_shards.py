"""A service whose number of processes changes on a real broker: each event counts once, before and after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka.errors import InvalidProducerEpochError, ProducerFencedError

from consumers.config.loader import build
from consumers.config.schema import Settings
from consumers.errors import Stop
from consumers.kafka_client.topics import create_topics
from consumers.rescaling.shard_log import KafkaShardLog
from consumers.rescaling.shared_places import SharedEnds
from consumers.sharing.facts_topic import facts_producer, shard_name
from tests.support.service.shards_world import Shards

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def service(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    one_bootstrap: str,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shards]:
    """One process; all that come after it have the same checkpoint directory."""
    monkeypatch.setenv("CROSSCURRENT_CHECKPOINT__DIRECTORY", str(tmp_path / "all"))
    made = Shards(tmp_path, one_bootstrap, request.getfixturevalue("redis_store").url, topic_prefix, 1)
    yield made
    made.close()


def run_for_a_while(shards: Shards, wrong: int = 0) -> None:
    """Send events while all run, wait until they are published, and stop."""
    shards.send(60)
    shards.start()
    shards.send(60)
    shards.send(wrong, wrong=True)
    shards.wait_until_counted()
    assert shards.stop() == [0] * shards.count


@pytest.mark.soak
def test_one_becomes_two_and_one_again(service: Shards) -> None:
    """The topics of shards still hold what two have shared when one goes on."""
    run_for_a_while(service)
    done = service.rescale(2)
    assert done.returncode == 0, done.stderr
    run_for_a_while(service, wrong=24)
    done = service.rescale(1)
    assert done.returncode == 0, done.stderr
    run_for_a_while(service)
    assert service.counted(service.shards[0], 0) == service.items


def settings_of(bootstrap: str, prefix: str) -> Settings:
    return build(
        {
            "domains": {"movies": {}},
            "kafka": {"bootstrap_servers": [bootstrap], "group_id": prefix},
            "shards": {"facts_topic": f"{prefix}.facts", "reroute_topic": f"{prefix}.reroute"},
        }
    )


def test_an_old_process_can_write_no_more(one_bootstrap: str, topic_prefix: str) -> None:
    settings = settings_of(one_bootstrap, topic_prefix)
    facts = settings.shards.facts_topic
    create_topics({"bootstrap_servers": one_bootstrap}, [(facts, "interactions")], 1)
    old = facts_producer(settings.kafka, shard_name(settings.kafka, 1))
    old.init_transactions()
    KafkaShardLog(settings).fence(2)

    def write() -> None:
        old.begin_transaction()
        old.send(facts, value=b"late", partition=0).get(timeout=30)
        old.commit_transaction()

    with pytest.raises((ProducerFencedError, InvalidProducerEpochError)):
        write()
    old.close(timeout=1)


def test_where_the_topics_of_shards_end(one_bootstrap: str, topic_prefix: str) -> None:
    """A missing topic is empty."""
    settings = settings_of(one_bootstrap, topic_prefix)
    log = KafkaShardLog(settings)
    assert log.ends() == SharedEnds(0, {})
    create_topics({"bootstrap_servers": one_bootstrap}, [(settings.shards.reroute_topic, "interactions")], 2)
    producer = facts_producer(settings.kafka, "another")
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(settings.shards.reroute_topic, value=b"one", partition=1).get(timeout=30)
    producer.commit_transaction()
    producer.close(timeout=1)
    ends = log.ends()
    assert (ends.facts, ends.rerouted[0], ends.rerouted[1] > 0) == (0, 0, True)


def test_without_a_broker_it_says_what_to_do() -> None:
    with pytest.raises(Stop, match=r"Without a broker: --offline\."):
        KafkaShardLog(settings_of("127.0.0.1:1", "none")).fence(1)
