"""Apache Kafka deletes, compacts, stamps and fences records by itself, and a record may lack key or time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import msgspec
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.decode import Decoder
from consumers.events.record import Record, TopicPartition
from consumers.source.kafka import KafkaSource
from models.schema import Domain, Interaction
from tests.support.kafka.apache_kafka import Address
from tests.support.kafka.kafka_rights import Rights, set_password
from tests.support.log.compaction import CompactedTopic, set_topic
from tests.support.log.logs import PARTITIONS, START, KafkaLog, by_place, ends, read, read_all
from tests.support.service.running import wait_for


@pytest.fixture
def log(apache: Address, topic_prefix: str) -> Iterator[KafkaLog]:
    made = KafkaLog(apache.bootstrap, topic_prefix)
    yield made
    made.close()


def expire(log: KafkaLog, place: TopicPartition) -> int:
    """Let retention delete everything in the topic, then keep what comes. Return the oldest offset of the place."""
    (bootstrap,) = log.config.bootstrap_servers
    tp = KafkaPartition(*place)
    with KafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        (end,) = consumer.end_offsets([tp]).values()
        set_topic(bootstrap, place[0], retention_ms="1000")
        wait_for(lambda: consumer.beginning_offsets([tp])[tp] == end, 60, why="retention deletes")
    set_topic(bootstrap, place[0], retention_ms="-1")
    return int(end)


# Retention


def test_records_that_expire_unread_while_nothing_runs(log: KafkaLog) -> None:
    """Unread records that expired are exit code 4 with the range. Records that were read are no loss."""
    place = (log.interactions, 0)
    log.fill([(*place, k, b"e") for k in range(20)])
    assert expire(log, place) == 20
    assert log.open().start({place: 20}, {})[place] == 20
    with pytest.raises(Stop, match=r"partition 0: offsets 5 to 19 are gone .*15 records") as caught:
        log.open().start({place: 5}, {})
    assert caught.value.code == STATE_UNUSABLE


def test_records_that_expire_after_they_were_read_while_it_runs(log: KafkaLog) -> None:
    """Expired records that were read have no effect, and later records are read."""
    place = (log.interactions, 0)
    sent = log.fill([(*place, k, b"e") for k in range(10)])
    source = log.open()
    source.start({}, {})
    assert read_all(source, 10) == sent
    assert expire(log, place) == 10
    assert source.poll(0.5) == []
    new = log.fill([(*place, 100, b"new")])
    assert read_all(source, 1) == new
    assert source.lost() == 0


@pytest.mark.parametrize("accept_gap", [False, True])
def test_records_that_expire_unread_while_it_runs(log: KafkaLog, accept_gap: bool) -> None:
    """The service ends as at a start, and --accept-gap goes on and counts the records."""
    place = (log.interactions, 0)
    sent = log.fill([(*place, k, b"e") for k in range(10)])
    source = log.open(accept_gap=accept_gap)
    source.start({}, {})
    assert read_all(source, 10) == sent
    time.sleep(1.0)  # nothing polls, as when the store takes no writes; the last fetch is over
    log.fill([(*place, 20 + k, b"missed") for k in range(5)])
    assert expire(log, place) == 15
    new = log.fill([(*place, 100, b"new")])
    if accept_gap:
        assert read_all(source, 1) == new
        assert source.lost() == 5
        return
    with pytest.raises(Stop, match=r"partition 0: offsets 10 to 14 are gone .*5 records") as caught:
        read_all(source, 1)
    assert caught.value.code == STATE_UNUSABLE


def test_records_that_expire_while_a_topic_is_read_anew(log: KafkaLog) -> None:
    """They are no gap: the topic is read anew to find out what it no longer holds."""
    (bootstrap,) = log.config.bootstrap_servers
    place = (log.items, 0)
    set_topic(bootstrap, log.items, cleanup_policy="compact,delete")
    log.fill([(*place, k, b"i") for k in range(5)])
    source = log.open()
    source.start({place: 5}, source.identity())
    assert source.anew() == {log.items}
    assert expire(log, place) == 5
    new = log.fill([(*place, 100, b"new")])
    assert read_all(source, 1) == new
    assert source.lost() == 0

    def over(_records: list[Record]) -> bool:
        source.learned(ends(new))
        return source.anew() == set()

    read(source, over)


@pytest.fixture
def limited(apache: Address, log: KafkaLog) -> Iterator[tuple[KafkaLog, Rights]]:
    """Make a log with a compacted topic of items, read by a user of its own; return this user's rights too."""
    user, password = f"user-{log.config.group_id}", "correct-horse"
    set_topic(apache.bootstrap, log.items, cleanup_policy="compact")
    set_password(apache.bootstrap, user, password)
    rights = Rights(apache.bootstrap, f"User:{user}")
    rights.give(*(("Read", "Topic", topic) for topic in log.topics))
    log.config = msgspec.structs.replace(
        log.config,
        bootstrap_servers=[apache.at("SASL")],
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-256",
        sasl_username=user,
        sasl_password=password,
    )
    yield log, rights
    rights.close()


def test_a_topic_that_may_not_be_read_is_not_at_its_end(limited: tuple[KafkaLog, Rights]) -> None:
    """A refused topic is not at its end, although its broker answers: removals could be missed."""
    log, rights = limited
    source = log.open()
    source.start({}, {})

    def newest() -> float:
        source.learned({})
        return max(source.at_end().values(), default=0.0)

    read(source, lambda _: newest() > 0)
    right = ("Read", "Topic", log.items)
    rights.take(right)
    read(source, lambda _: log.items in (source.problem() or ""), settle=2.0)
    before = newest()
    read(source, lambda _: True, settle=6.0)  # it is asked for again meanwhile
    assert newest() == before
    rights.give(right)
    read(source, lambda _: newest() > before)


# Compaction


def test_a_compacted_topic_of_interactions(apache: Address, log: KafkaLog) -> None:
    """Records that compaction removed are no gap: a restart between them goes on, and nothing waits."""
    name = f"compacted.{log.interactions}"
    topic = CompactedTopic(apache.bootstrap, name, (b"filler", b"f"))
    topic.send(*((b"k%d" % (n % 5), b"%d" % n) for n in range(20)))
    topic.compact()
    kept = [value for key, value in topic.holds() if key != b"filler"]
    assert kept == [b"15", b"16", b"17", b"18", b"19"]
    place = (name, 0)
    for first in (0, 3, 18):
        source = KafkaSource(log.config, {name: ("movies", "interactions")})
        try:
            source.start({place: first}, {})
            got = read(source, lambda records: source.reached_start_end(ends(records)))  # noqa: B023
            expected = [value for n, value in enumerate(kept, 15) if n >= first]
            assert [record.value for record in got if record.key != b"filler"] == expected
            assert not any(source.lag(ends(got)).values())
            assert source.lost() == 0
        finally:
            source.close()


# Transactions


def test_records_of_an_aborted_transaction_are_never_read(log: KafkaLog) -> None:
    """Records of an aborted transaction are never read, and are no lag, also at the end of the log."""
    place = (log.interactions, 0)
    before = log.fill([(*place, 0, b"before")])
    abort(log, place, n=3)
    after = log.fill([(*place, 1, b"after")])
    abort(log, place, n=2)
    source = log.open()
    source.start({}, {})
    got = read_all(source, 2)
    assert got == before + after
    read(source, lambda _: source.reached_start_end(ends(got)))
    assert not any(source.lag(ends(got)).values())


def abort(log: KafkaLog, place: TopicPartition, n: int) -> None:
    with transactional(log) as producer:
        producer.begin_transaction()
        for _ in range(n):
            producer.send(place[0], b"aborted", b"k", partition=place[1])
        producer.flush()
        producer.abort_transaction()


def transactional(log: KafkaLog) -> KafkaProducer:
    """Return a producer that fences every earlier one of this log."""
    made = KafkaProducer(bootstrap_servers=log.config.bootstrap_servers, transactional_id=log.config.group_id)
    made.init_transactions()
    return made


def test_a_producer_that_is_fenced_by_a_newer_one(log: KafkaLog) -> None:
    """Records of the fenced producer's open transaction never come; those of the newer one come once."""
    topic = log.interactions
    old = transactional(log)
    old.begin_transaction()
    old.send(topic, b"fenced", b"k", partition=0)
    old.flush()
    source = log.open()
    source.start({}, {})
    read(source, lambda _: source.reached_start_end({}))
    with transactional(log) as new:
        new.begin_transaction()
        new.send(topic, b"counts", b"k", partition=0)
        new.flush()
        with pytest.raises(KafkaError):
            old.commit_transaction()
        new.commit_transaction()
    old.close(timeout=1)
    assert [record.value for record in read_all(source, 1)] == [b"counts"]


# What a record may have or lack


def event(**fields: object) -> bytes:
    return json.dumps({"type": "click", "user_id": "u", "item_id": "i"} | fields).encode()


def test_times_of_a_topic_whose_broker_stamps_records(log: KafkaLog) -> None:
    """The event's own time counts; without it the time at which the broker took the record."""
    (bootstrap,) = log.config.bootstrap_servers
    set_topic(bootstrap, log.interactions, message_timestamp_type="LogAppendTime")
    began = 1000 * int(time.time())
    log.fill([(log.interactions, 0, 0, event()), (log.interactions, 0, 0, event(timestamp=START + 5000))])
    source = log.open()
    source.start({}, {})
    decode = Decoder(log.topics, [Domain("movies", "both")]).decode
    without, with_own = (decode(record) for record in read_all(source, 2))
    assert isinstance(without, Interaction)
    assert isinstance(with_own, Interaction)
    assert began <= without.timestamp <= 1000 * time.time() + 1
    assert with_own.timestamp == START + 5000


def test_records_without_a_key_and_with_headers(log: KafkaLog) -> None:
    """Both kinds of records are read. The service ignores headers."""
    with KafkaProducer(bootstrap_servers=log.config.bootstrap_servers) as producer:
        sent = [
            producer.send(log.interactions, event(), key, headers=headers, partition=0, timestamp_ms=START)
            for key, headers in ((None, None), (b"u", [("trace", b"1"), ("trace", b""), ("\u00e9", b"2")]))
        ]
        producer.flush()
    source = log.open()
    source.start({}, {})
    assert read_all(source, 2) == [
        Record(log.interactions, 0, future.get(10).offset, START, key, event())
        for future, key in zip(sent, (None, b"u"), strict=True)
    ]


def test_partitions_that_the_broker_adds_while_it_runs(log: KafkaLog) -> None:
    """New partitions are found and read from their first record; a restart goes on in all of them."""
    first = log.fill([(log.interactions, 0, k, b"e") for k in range(5)])
    source = log.open(watch_seconds=0.5)
    source.start({}, {})
    got = read_all(source, 5)
    with KafkaAdminClient(bootstrap_servers=log.config.bootstrap_servers) as admin:
        admin.create_partitions({log.interactions: PARTITIONS + 2})
    more = log.fill([(log.interactions, p, 100 + p, b"n") for p in range(PARTITIONS + 2)])
    got += read_all(source, len(more))
    assert by_place(got) == by_place(first + more)
    again = log.open()
    again.start(source.next_offsets(ends(got)), source.identity())
    last = log.fill([(log.interactions, PARTITIONS + 1, 200, b"l")])
    assert read_all(again, 1) == last
