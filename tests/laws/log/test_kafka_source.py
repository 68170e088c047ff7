"""The Kafka source alone has these laws: items first, transactions, commits, other logs, lost records."""

from __future__ import annotations

import time

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from consumers.config.schema import KafkaConfig
from consumers.errors import STATE_UNUSABLE, USAGE, Stop
from consumers.source.kafka import KafkaSource
from tests.support.log.logs import (
    KEPT,
    PARTITIONS,
    START,
    KafkaLog,
    by_place,
    ends,
    read,
    read_all,
    some,
)  # fmt: skip
from tests.support.service.running import wait_for


def test_items_come_before_interactions(kafka_log: KafkaLog) -> None:
    """At a start the item topics are read to their end first, even if their records are newer."""
    sent = kafka_log.fill(
        [(kafka_log.interactions, k % 2, k, b"e") for k in range(50)]
        + [(kafka_log.items, k % 2, 1000 + k, b"i") for k in range(50)]
    )
    source = kafka_log.open(poll_records=20)
    source.start({}, {})
    topics = [r.topic for r in read_all(source, len(sent))]
    assert topics == [kafka_log.items] * 50 + [kafka_log.interactions] * 50


def test_items_keep_coming_later(kafka_log: KafkaLog) -> None:
    """After the start, item events and interactions arrive alike."""
    source = kafka_log.open()
    source.start({}, {})
    read(source, lambda _: source.reached_start_end({}))
    sent = kafka_log.fill([(kafka_log.items, 0, 1, b"i"), (kafka_log.interactions, 1, 2, b"e")])
    assert sorted(read_all(source, 2)) == sorted(sent)


def test_a_transaction_at_the_end_does_not_hold_up(kafka_log: KafkaLog) -> None:
    """The end of a transaction takes an offset without a record. The log is read to its end, and no lag remains."""
    transactional = {"transactional_id": kafka_log.config.group_id}
    sent = kafka_log.fill([(kafka_log.items, 0, k, b"i") for k in range(3)], **transactional)
    sent += kafka_log.fill([(kafka_log.interactions, 0, k, b"e") for k in range(3)], **transactional)
    source = kafka_log.open()
    source.start({}, {})
    got = read_all(source, 6)
    assert by_place(got) == by_place(sent)
    read(source, lambda _: source.reached_start_end(ends(got)))
    assert not any(source.lag(ends(got)).values())
    source.learned(ends(got))
    again = kafka_log.open()
    again.start(ends(got), {}, at_end=source.at_end())
    assert read(again, lambda _: again.reached_start_end(ends(got))) == []
    assert not any(again.lag(ends(got)).values())


def test_a_large_backlog_in_one_partition(kafka_log: KafkaLog) -> None:
    """A backlog larger than a poll comes whole and in order, while the other partition waits for its time."""
    kafka_log.fill(
        [(kafka_log.interactions, 0, k, b"a") for k in range(1500)]
        + [(kafka_log.interactions, 1, 700, b"b"), (kafka_log.interactions, 1, 5000, b"c")]
    )
    source = kafka_log.open(poll_records=100)
    source.start({}, {})
    got = read_all(source, 1502)
    assert [r.offset for r in got if r.partition == 0] == list(range(1500))
    seconds = [(r.timestamp - START) // 1000 for r in got]
    assert seconds == sorted(seconds)


def test_commit_is_seen_by_lag_tools(kafka_log: KafkaLog) -> None:
    """Offsets are committed under the group id, but a start does not read from them."""
    sent = kafka_log.fill(some(kafka_log, 20))
    source = kafka_log.open()
    source.start({}, {})
    read_all(source, len(sent))
    source.commit(ends(sent) | {("gone", 0): 5})
    with KafkaConsumer(
        bootstrap_servers=kafka_log.config.bootstrap_servers, group_id=kafka_log.config.group_id
    ) as tool:
        for (topic, partition), offset in ends(sent).items():
            wait_for(lambda: tool.committed(TopicPartition(topic, partition)) == offset, why="the commit")  # noqa: B023
    fresh = kafka_log.open()
    fresh.start({}, {})
    assert len(read_all(fresh, len(sent))) == len(sent)


def test_identity_tells_logs_apart(kafka_log: KafkaLog) -> None:
    """The same topics have the same identity at every start, and it is not empty."""
    one, two = kafka_log.open().identity(), kafka_log.open().identity()
    assert one == two
    assert set(one) == {"cluster", f"topic:{kafka_log.interactions}", f"topic:{kafka_log.items}"}
    assert all(one.values())
    kafka_log.open().start({}, one)


@pytest.mark.parametrize("changed", ["cluster", "topic"])
def test_a_checkpoint_of_another_log_stops(kafka_log: KafkaLog, changed: str) -> None:
    """Another cluster, or another topic of the same name, is exit code 4, and the error names the difference."""
    source = kafka_log.open()
    key = "cluster" if changed == "cluster" else f"topic:{kafka_log.items}"
    with pytest.raises(Stop, match=key) as caught:
        source.start({(kafka_log.items, 0): 1}, source.identity() | {key: "another"})
    assert caught.value.code == STATE_UNUSABLE
    assert "--accept-gap" in str(caught.value)


def test_accept_gap_reads_the_other_log_from_its_beginning(kafka_log: KafkaLog) -> None:
    """With --accept-gap no offset of the checkpoint is used, because they mean nothing in another log."""
    sent = kafka_log.fill(some(kafka_log, 20))
    source = kafka_log.open(accept_gap=True)
    source.start(ends(sent), source.identity() | {"cluster": "another"})
    assert by_place(read_all(source, len(sent))) == by_place(sent)


def test_accept_gap_keeps_the_offsets_of_unchanged_topics(kafka_log: KafkaLog) -> None:
    """With --accept-gap only the replaced topic is read from its beginning."""
    sent = kafka_log.fill(some(kafka_log, 20))
    source = kafka_log.open(accept_gap=True)
    source.start(ends(sent), source.identity() | {f"topic:{kafka_log.items}": "another"})
    items = [r for r in sent if r.topic == kafka_log.items]
    assert by_place(read_all(source, len(items))) == by_place(items)


def test_records_gone_from_the_log(kafka_log: KafkaLog) -> None:
    """Lost records are exit code 4 with the exact range; --accept-gap goes on after it and counts them."""
    place = (kafka_log.interactions, 0)
    sent = kafka_log.fill([(*place, k, b"e") for k in range(20)])
    kafka_log.expire(place, 15)
    with pytest.raises(Stop, match=r"partition 0: offsets 5 to 14 are gone .*10 records") as caught:
        kafka_log.open().start({place: 5}, {})
    assert caught.value.code == STATE_UNUSABLE
    tolerant = kafka_log.open(accept_gap=True)
    assert tolerant.start({place: 5}, {})[place] == 15
    assert tolerant.lost() == 10
    assert read_all(tolerant, 5) == sent[15:]


def test_missing_topics_name_themselves(kafka_log: KafkaLog) -> None:
    """Missing topics are exit code 2; the error names each of them, and no existing one."""
    topics = kafka_log.topics | {"no.such.topic": ("a", "items"), "nor.this": ("b", "items")}
    with pytest.raises(Stop, match=r"missing topics: no\.such\.topic, nor\.this\.") as caught:
        KafkaSource(kafka_log.config, topics)
    assert caught.value.code == USAGE
    assert kafka_log.items not in str(caught.value)


def test_an_unreachable_broker_is_one_line() -> None:
    """Without a broker the exit code is 2 within 10 s; the error names server and setting, not the password."""
    config = KafkaConfig(
        ["127.0.0.1:1"], security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN",
        sasl_username="me", sasl_password="hunter2",
    )  # fmt: skip
    begun = time.monotonic()
    with pytest.raises(Stop, match=r"127\.0\.0\.1:1 cannot be reached") as caught:
        KafkaSource(config, {"t": ("d", "items")})
    assert time.monotonic() - begun < 10
    assert caught.value.code == USAGE
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "CROSSCURRENT_KAFKA__BOOTSTRAP_SERVERS" in str(caught.value)


def test_partitions_added_while_running(kafka_log: KafkaLog) -> None:
    """New partitions are read from their beginning within seconds. Others go on, canaries too, and a restart
    knows all of them."""
    added, canaries = (kafka_log.interactions, PARTITIONS - 1), f"canary.{kafka_log.interactions}"
    first = kafka_log.fill([(kafka_log.interactions, 0, k, b"e") for k in range(10)])
    source = kafka_log.open(watch_seconds=1.0, canary_topic=canaries)
    source._places.remove(added)  # as if it was added after the start: the embedded broker cannot add one
    source.start({}, {})
    got = read_all(source, len(first))
    assert added not in source.lag({})
    more = kafka_log.fill([(kafka_log.interactions, k % PARTITIONS, 100 + k, b"n") for k in range(9)])
    got += read(source, lambda records: len(records) >= len(more), settle=0.2)
    assert by_place(got) == by_place(first + more)
    assert not any(source.lag(ends(got)).values())
    sent = kafka_log.fill([(canaries, 0, 200, b"c")])
    assert read(source, bool) == sent
    again = kafka_log.open()
    again.start(ends(first), {})  # of an earlier checkpoint
    assert by_place(read_all(again, len(more))) == by_place(more)


def test_requests_to_forget_come_first_and_their_topic_may_come_late(
    kafka_log: KafkaLog, bootstrap: str
) -> None:
    """Without the topic the log is read. Once created, it is read live, and at the next start before interactions."""
    topic = f"forget.{kafka_log.interactions}"
    kafka_log.topics[topic] = ("", "forget")
    sent = kafka_log.fill(some(kafka_log, 10))
    source = kafka_log.open(watch_seconds=0.2)
    source.start({}, {})
    got = read_all(source, len(sent))
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.create_topics({topic: KEPT | {"num_partitions": 1}}, wait_for_metadata=True)
    request = kafka_log.fill([(topic, 0, 500, b"f")])
    got += read(source, bool)
    assert got[-1:] == request
    assert f"topic:{topic}" in source.identity()
    again = kafka_log.open()
    again.start({}, source.identity())
    topics = [record.topic for record in read_all(again, len(sent) + 1)]
    assert topic in topics[: topics.index(kafka_log.interactions)]
