"""Make topics of Apache Kafka that are compacted within seconds, and read what they hold afterwards."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from tests.support.service.running import wait_for

AT_ONCE = {
    "cleanup.policy": "compact",
    "delete.retention.ms": "100",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "min.compaction.lag.ms": "0",
}
COMPACTION_SECONDS = 60.0
Entry = tuple[bytes, bytes | None]
"""Key and value of a record."""


def set_topic(bootstrap: str, topic: str, **settings: str) -> None:
    """Change settings of a topic; `_` stands for the dots of their names."""
    configs = {name.replace("_", "."): value for name, value in settings.items()}
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])


class CompactedTopic:
    """A topic with one partition that is compacted at once. settings: those that differ."""

    def __init__(self, bootstrap: str, topic: str, filler: Entry, **settings: str) -> None:
        """filler: a record that makes Kafka begin a new segment, because it never cleans the newest one."""
        self.bootstrap, self.topic, self._filler = bootstrap, topic, filler
        self._settings = AT_ONCE | {name.replace("_", "."): value for name, value in settings.items()}
        self.create()

    def create(self) -> None:
        made: dict[str, Any] = {"num_partitions": 1, "replication_factor": 1, "configs": self._settings}
        with KafkaAdminClient(bootstrap_servers=self.bootstrap) as admin:
            admin.create_topics({self.topic: made}, wait_for_metadata=True)

    def delete(self) -> None:
        with KafkaAdminClient(bootstrap_servers=self.bootstrap) as admin:
            admin.delete_topics([self.topic])
            wait_for(lambda: self.topic not in admin.list_topics(), 30, why="the topic is deleted")

    def send(self, *records: Entry) -> None:
        with KafkaProducer(bootstrap_servers=self.bootstrap) as producer:
            for key, value in records:
                producer.send(self.topic, value, key)
            producer.flush()

    def holds(self) -> list[Entry]:
        """Return every record, from the oldest on."""
        tp, found = TopicPartition(self.topic, 0), []
        with KafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest") as consumer:
            consumer.assign([tp])
            (end,) = consumer.end_offsets([tp]).values()
            while consumer.position(tp) < end:
                for records in consumer.poll(timeout_ms=200).values():
                    found += [(record.key, record.value) for record in records]
        return found

    def compact_away(self, *keys: bytes) -> None:
        """Wait until no record of these keys is left."""
        wait_for(lambda: self._cleaned(keys), COMPACTION_SECONDS, why=f"{keys} are compacted away")

    def compact(self) -> None:
        """Wait until each key except the filler's has one record at most."""

        def once() -> bool:
            self._roll()
            keys = [key for key, _ in self.holds() if key != self._filler[0]]
            return len(keys) == len(set(keys))

        wait_for(once, COMPACTION_SECONDS, why="one record a key")

    def _cleaned(self, keys: Collection[bytes]) -> bool:
        self._roll()
        return not any(key in keys for key, _ in self.holds())

    def _roll(self) -> None:
        time.sleep(0.3)
        self.send(self._filler)
