"""An open transaction is the end of its partition, and a silent partition delays the others once."""

from __future__ import annotations

import time
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka import TopicPartition as KafkaPartition

from consumers.events.record import Record, TopicPartition
from tests.support.log.logs import PATIENCE, KafkaLog, by_place, ends, read_all


class OpenTransaction:
    """Return a producer that has begun a transaction and sent a record to each place."""

    def __init__(self, log: KafkaLog, places: list[TopicPartition]) -> None:
        self._producer = KafkaProducer(
            bootstrap_servers=log.config.bootstrap_servers, transactional_id=log.config.group_id
        )
        self._producer.init_transactions()
        self._producer.begin_transaction()
        for topic, partition in places:
            self._producer.send(topic, b"open", b"k", partition=partition, timestamp_ms=1_700_000_000_000)
        self._producer.flush()

    def commit(self) -> None:
        self._producer.commit_transaction()
        self._producer.close()


@pytest.fixture
def held(kafka_log: KafkaLog) -> tuple[KafkaLog, OpenTransaction]:
    """Make a log with records before and after an open transaction, in partition 1 of both topics."""
    kafka_log.fill([(kafka_log.interactions, 1, 0, b"before"), (kafka_log.items, 1, 0, b"before")])
    transaction = OpenTransaction(kafka_log, [(kafka_log.interactions, 1), (kafka_log.items, 1)])
    kafka_log.fill([(kafka_log.interactions, 1, 1, b"after"), (kafka_log.items, 1, 1, b"after")])
    return kafka_log, transaction


def test_an_open_transaction_holds_up_nobody(held: tuple[KafkaLog, OpenTransaction]) -> None:
    """Other partitions go on, there is no lag, and the start is over. The rest comes with the commit."""
    log, transaction = held
    others = log.fill([(log.interactions, 0, k, b"e") for k in range(10)])
    source = log.open(patience_seconds=3600.0)  # the patience plays no part here
    source.start({}, {})
    got = read_all(source, len(others) + 2)
    assert [r.value for r in got if r.partition == 1] == [b"before", b"before"]
    assert by_place(got)[log.interactions, 0] == others
    assert source.reached_start_end(ends(got))
    assert not any(source.lag(ends(got)).values())
    assert source.next_offsets(ends(got)) == {
        place: ends(got).get(place, 0) for place in log.places
    }  # a restart does not skip uncommitted records
    more = log.fill([(log.interactions, 0, 100, b"n")])
    got += read_all(source, 1)
    assert got[-1:] == more
    transaction.commit()
    late = read_all(source, 4)
    assert sorted(r.value or b"" for r in late) == [b"after", b"after", b"open", b"open"]


def test_a_silent_partition_is_waited_for_once(kafka_log: KafkaLog) -> None:
    """A partition does not answer. The others wait for it once, and not again for any later record, although new ones
    come all the time."""
    kafka_log.fill([(kafka_log.interactions, 1, 0, b"never given")])
    source = kafka_log.open()
    _silence(source, (kafka_log.interactions, 1))
    source.start({}, {})
    sent, got, deadline = 0, list[Record](), time.monotonic() + PATIENCE
    with KafkaProducer(bootstrap_servers=kafka_log.config.bootstrap_servers) as producer:

        def send() -> None:
            producer.send(kafka_log.interactions, b"%d" % sent, b"k", partition=0).get(PATIENCE)

        while not got:
            assert time.monotonic() < deadline, f"none of {sent} records came"
            send()
            sent += 1
            got += source.poll(0.05)
        for _ in range(5):
            send()
            sent += 1
            while len(got) < sent:
                got += source.poll(0.05)
                assert source._merge.waited_for == set()
    assert [r.value for r in got] == [b"%d" % k for k in range(sent)]


def _silence(source: Any, place: TopicPartition) -> None:
    """Never fetch from the partition, as if it had no leader."""
    consumer, tp = source._consumer.consumer, KafkaPartition(*place)
    assign, resume = consumer.assign, consumer.resume

    def assigned(tps: list[Any]) -> None:
        assign(tps)
        consumer.pause(tp)

    consumer.assign = assigned
    consumer.resume = lambda *tps: resume(*(set(tps) - {tp}))
