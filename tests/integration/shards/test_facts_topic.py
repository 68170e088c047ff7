"""The topic of facts on real brokers: order, acknowledgement, the fence, and what is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from kafka import KafkaAdminClient, TopicPartition
from kafka.errors import KafkaError

from consumers.config.schema import KafkaConfig
from consumers.config.shards import ShardsConfig
from consumers.errors import STATE_UNUSABLE, USAGE, Stop
from consumers.kafka_client.topics import create_topics
from consumers.sharing.facts_topic import FactsTopic
from tests.support.kafka.apache_kafka import Address, ApacheKafka
from tests.support.service.running import wait_for

pytestmark = pytest.mark.timeout(240)

Connect = Callable[[str, int], FactsTopic]


@pytest.fixture
def connect(topic_prefix: str) -> Iterator[Connect]:
    """Connect a shard of a service at a broker to its topic of facts, which is created; close all at the end."""
    made = list[FactsTopic]()

    def one(bootstrap: str, index: int) -> FactsTopic:
        topic = f"{topic_prefix}.facts"
        create_topics({"bootstrap_servers": bootstrap}, [(topic, "interactions")], 1)
        config = KafkaConfig(bootstrap_servers=[bootstrap], group_id=topic_prefix)
        made.append(FactsTopic(config, ShardsConfig(count=2, index=index, facts_topic=topic)))
        return made[-1]

    yield one
    for facts in made:
        facts.close()


def begun(facts: FactsTopic, offset: int = 0) -> list[tuple[int, bytes]]:
    """Start, and return what there was, with the offset after each."""
    return [record for part in facts.start(offset) for record in part]


def read(facts: FactsTopic, count: int) -> list[bytes]:
    found = list[bytes]()

    def enough() -> bool:
        found.extend(value for _, value in facts.poll())
        return len(found) >= count

    wait_for(enough, why=f"{count} records of facts")
    return found


def stopped(facts: FactsTopic) -> Stop | None:
    try:
        facts.check()
    except Stop as stop:
        return stop
    return None


def test_all_read_one_order_and_a_later_start_reads_it_to_its_end(connect: Connect, bootstrap: str) -> None:
    one, two = connect(bootstrap, 0), connect(bootstrap, 1)
    assert (begun(one), begun(two)) == ([], [])
    for n in range(20):
        (one, two)[n % 2].send(b"%d" % n)
    assert one.wait(10, 60.0)
    assert two.wait(10, 60.0)
    assert one.unacknowledged() == 0.0
    order = read(one, 20)
    assert sorted(order, key=int) == [b"%d" % n for n in range(20)]
    assert read(two, 20) == order
    again = connect(bootstrap, 1)
    told = begun(again)
    assert [value for _, value in told] == order
    assert again.wait(0, 0.0)
    rest = begun(connect(bootstrap, 1), told[4][0])
    assert [value for _, value in rest] == order[5:]


def test_the_later_process_of_a_shard_fences_the_earlier(connect: Connect, bootstrap: str) -> None:
    old, other = connect(bootstrap, 0), connect(bootstrap, 1)
    begun(old)
    begun(other)
    old.send(b"first")
    assert old.wait(1, 60.0)
    new = connect(bootstrap, 0)
    assert [value for _, value in begun(new)] == [b"first"]
    old.send(b"late")

    stop: Stop = wait_for(lambda: stopped(old), why="the earlier one notices")
    assert stop.code == STATE_UNUSABLE
    assert "another process runs as shard" in str(stop)
    assert not old.wait(2, 0.0)
    new.send(b"second")
    other.send(b"third")
    assert new.wait(1, 60.0)
    assert other.wait(1, 60.0)
    new.check()
    other.check()
    assert b"late" not in read(other, 3)


def broken(facts: FactsTopic) -> None:
    """Let its producer refuse everything from now on, as after an answer that kafka-python does not expect."""
    manager = facts._producer._transaction_manager
    with manager._lock:
        manager.transition_to_fatal_error(
            KafkaError("Could not execute transactional request for unknown reasons")
        )


def test_a_producer_that_broke_is_replaced(connect: Connect, apache: Address) -> None:
    """The facts that wait arrive, and the shard goes on, while no other process has its name."""
    one = connect(apache.bootstrap, 0)
    begun(one)
    one.send(b"before")
    assert one.wait(1, 60.0)
    broken(one)
    one.send(b"after")
    assert one.wait(2, 60.0)
    one.check()
    assert read(one, 2) == [b"before", b"after"]


def test_a_broken_producer_fences_no_later_process(connect: Connect, apache: Address) -> None:
    """It finds the later one at the broker, and stops."""
    old = connect(apache.bootstrap, 0)
    begun(old)
    old.send(b"before")
    assert old.wait(1, 60.0)
    new = connect(apache.bootstrap, 0)
    begun(new)
    broken(old)
    old.send(b"late")
    stop: Stop = wait_for(lambda: stopped(old), why="the earlier one notices")
    assert "another process runs as shard" in str(stop)
    new.send(b"after")
    assert new.wait(1, 60.0)
    new.check()


def test_facts_that_are_gone_stop_the_start_with_a_remedy(
    connect: Connect, apache: Address, topic_prefix: str
) -> None:
    first = connect(apache.bootstrap, 0)
    begun(first)
    for n in range(6):
        first.send(b"%d" % n)
    assert first.wait(6, 60.0)
    with KafkaAdminClient(bootstrap_servers=apache.bootstrap) as admin:
        admin.delete_records({TopicPartition(f"{topic_prefix}.facts", 0): 4})
    with pytest.raises(Stop, match=r"no longer holds the facts from 2 to 3.*crosscurrent rescale") as caught:
        begun(connect(apache.bootstrap, 1), 2)
    assert caught.value.code == STATE_UNUSABLE
    with pytest.raises(Stop, match="made anew or cut"):
        begun(connect(apache.bootstrap, 1), 1_000)


def test_a_topic_with_several_partitions_is_refused(
    connect: Connect, bootstrap: str, topic_prefix: str
) -> None:
    create_topics({"bootstrap_servers": bootstrap}, [(f"{topic_prefix}.facts", "interactions")], 3)
    with pytest.raises(Stop, match=r"one partition.*--create-topics") as caught:
        begun(connect(bootstrap, 0))
    assert caught.value.code == USAGE


def test_while_the_broker_is_away_facts_wait_and_then_arrive(
    connect: Connect, own_apache: ApacheKafka
) -> None:
    (broker,) = own_apache.brokers.values()
    one, two = connect(own_apache.bootstrap, 0), connect(own_apache.bootstrap, 1)
    begun(one)
    begun(two)
    one.send(b"before")
    assert one.wait(1, 60.0)
    broker.kill()
    one.send(b"meanwhile")
    assert not one.wait(2, 1.0)
    assert one.unacknowledged() >= 1.0
    broker.start()
    assert one.wait(2, 120.0)
    one.check()
    assert read(two, 2)[:2] == [b"before", b"meanwhile"]
