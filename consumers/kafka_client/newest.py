"""Fetch the newest record of a topic, to show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition

from consumers.config.schema import KafkaConfig
from consumers.events.record import Record, record_of
from consumers.kafka_client.client import client_options

BACK = 5
"""Offsets before a partition's end where reading begins: the last ones may be ends of transactions."""
POLLS, POLL_MS = 50, 100


def newest_records(config: KafkaConfig, topics: Iterable[str]) -> Iterator[tuple[str, Record | None]]:
    """Yield each topic with its newest record, or None for an empty topic. Raises KafkaError."""
    options = {"group_id": None, "enable_auto_commit": False, "isolation_level": "read_committed"}
    with KafkaConsumer(**client_options(config), **options) as consumer:
        for topic in topics:
            yield topic, _newest(consumer, topic)


def _newest(consumer: Any, topic: str) -> Record | None:
    tps = [KafkaPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    begins, ends = consumer.beginning_offsets(tps), consumer.end_offsets(tps)
    filled = [tp for tp in tps if ends[tp] > begins[tp]]
    if not filled:
        return None
    consumer.assign(filled)
    for tp in filled:
        consumer.seek(tp, max(begins[tp], ends[tp] - BACK))
    found: list[Any] = []
    for _ in range(POLLS):
        answered = all(consumer.highwater(tp) is not None for tp in filled)
        polled = consumer.poll(timeout_ms=POLL_MS)
        found += [record for records in polled.values() for record in records]
        if not polled and answered:
            break
    if not found:
        return None
    last = max(found, key=lambda record: (record.timestamp, record.offset))
    return record_of(last)
