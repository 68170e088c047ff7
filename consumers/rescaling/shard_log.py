"""Keep the processes of old shards from going on, and see where the topics that shards share end."""

from __future__ import annotations

from typing import Protocol

import msgspec
from kafka import KafkaConsumer
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError

from consumers.config.schema import Settings
from consumers.errors import Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.problems.diagnostics import why_unreachable
from consumers.rescaling.shared_places import SharedEnds
from consumers.sharing.facts_log import FactsLog
from consumers.sharing.facts_topic import FactsTopic, facts_producer, shard_name


class ShardLog(Protocol):
    """The topics that shards share, as rescaling needs them."""

    def fence(self, count: int) -> None:
        """Let no process of these shards write facts any more. Raises Stop."""

    def facts(self, index: int, count: int) -> FactsLog:
        """Return the facts as one shard reads them."""

    def ends(self) -> SharedEnds:
        """Return where the topics end now; a missing topic is empty. Raises Stop."""


class KafkaShardLog:
    """A `ShardLog` in Kafka."""

    def __init__(self, settings: Settings) -> None:
        self._kafka, self._shards = settings.kafka, settings.shards

    def fence(self, count: int) -> None:
        try:
            for index in range(count):
                producer = facts_producer(self._kafka, shard_name(self._kafka, index))
                producer.init_transactions()
                producer.close(timeout=1)
        except KafkaError as error:
            raise Stop(self._unreachable(error)) from error

    def facts(self, index: int, count: int) -> FactsLog:
        return FactsTopic(self._kafka, msgspec.structs.replace(self._shards, index=index, count=count))

    def ends(self) -> SharedEnds:
        facts, rerouted = self._shards.facts_topic, self._shards.reroute_topic
        try:
            consumer = KafkaConsumer(
                **client_options(self._kafka), group_id=None, enable_auto_commit=False,
                allow_auto_create_topics=False, metrics_enabled=False,
            )  # fmt: skip
            try:
                places = [
                    KafkaPartition(topic, n)
                    for topic in (facts, rerouted)
                    for n in consumer.partitions_for_topic(topic) or ()
                ]
                found = consumer.end_offsets(places) if places else {}
            finally:
                consumer.close(autocommit=False)
        except KafkaError as error:
            raise Stop(self._unreachable(error)) from error
        return SharedEnds(
            max((end for place, end in found.items() if place.topic == facts), default=0),
            {place.partition: end for place, end in found.items() if place.topic == rerouted},
        )

    def _unreachable(self, error: KafkaError) -> str:
        return f"{why_unreachable(self._kafka, error)} Without a broker: --offline."
