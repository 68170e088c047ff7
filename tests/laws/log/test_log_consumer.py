"""The consumer of the log pauses partitions and goes on with them."""

from __future__ import annotations

from collections import Counter

from consumers.events.record import TopicPartition
from consumers.source.log_consumer import CHUNK_RECORDS, LogConsumer
from tests.support.log.logs import KafkaLog
from tests.support.service.running import wait_for

RECORDS = 2 * CHUNK_RECORDS
"""Records of each partition: one poll returns only a part of a fetch."""


def test_a_partition_that_is_paused_with_records_in_hand_goes_on(kafka_log: KafkaLog) -> None:
    """A paused partition goes on, even if all others are at their end: kafka-python alone would keep its records."""
    topic, got = kafka_log.interactions, Counter[TopicPartition]()
    kafka_log.fill([(topic, n % 2, 0, b"e") for n in range(2 * RECORDS)])
    consumer = LogConsumer(kafka_log.config, 64_000_000, 2)

    def taken(place: TopicPartition) -> int:
        for one, records in consumer.poll(0.2).items():
            got[one] += len(records)
        return got[place]

    try:
        places = {(topic, 0), (topic, 1)}
        consumer.assign(places)
        consumer.seek(dict.fromkeys(places, 0))
        wait_for(lambda: taken((topic, 0)) + got[topic, 1])
        (paused,) = (place for place in places if 0 < got[place] < RECORDS)
        (other,) = places - {paused}
        consumer.fetch_only({other})
        wait_for(lambda: taken(other) == RECORDS, why="the other is read to its end")
        before = got[paused]
        for _ in range(3):
            taken(other)
        assert got[paused] == before < RECORDS
        consumer.fetch_only(places)
        wait_for(lambda: taken(paused) == RECORDS, 20, why="the paused one goes on")
    finally:
        consumer.close()
