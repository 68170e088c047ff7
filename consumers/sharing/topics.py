"""Create and look at the topics that shards share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka import KafkaAdminClient

from consumers.config.schema import Settings
from consumers.errors import Stop
from consumers.kafka_client.topics import create, create_topics, describe
from consumers.source.ownership import ShardOwnership

FACTS_TOPIC: dict[str, Any] = {
    "num_partitions": 1,
    "replication_factor": -1,
    "configs": {"retention.ms": str(7 * 24 * 3_600_000), "max.message.bytes": "2097152"},
}
"""One partition keeps facts in one order for all shards. A shard may be off for a week."""


MODEL_TOPIC: dict[str, Any] = {
    "num_partitions": 1,
    "replication_factor": -1,
    "configs": {
        "cleanup.policy": "compact",
        "max.message.bytes": "2097152",
        "segment.ms": "600000",
        "min.cleanable.dirty.ratio": "0.1",
    },
}
"""Weights come every second, and only the newest count: old ones are cleaned away after minutes."""


def create_shard_topics(client: Mapping[str, Any], settings: Settings) -> list[str]:
    """Create the topics that shards share if they are missing; return their names. Raises KafkaError."""
    shards = settings.shards
    wanted = {shards.facts_topic: FACTS_TOPIC, shards.model_topic: MODEL_TOPIC}
    with KafkaAdminClient(**client) as admin:
        there, counts = set(admin.list_topics()), describe(admin, settings.event_topics()).counts()
        created = [topic for topic in wanted.keys() - there if create(admin, {topic: wanted[topic]})]
    partitions = max(counts.values(), default=4)
    return created + create_topics(client, [(shards.reroute_topic, "interactions")], partitions)


def shard_problem(settings: Settings, admin: Any) -> str | None:
    """Return why the topics cannot be dealt out to the shards, and what to do; None if they can. Raises KafkaError."""
    shards, events = settings.shards, settings.event_topics()
    described = describe(admin, [*events, shards.facts_topic, shards.model_topic])
    for topic in (shards.facts_topic, shards.model_topic):
        count = described.counts().get(topic)
        if count != 1:
            told = "is missing" if count is None else f"has {count} partitions"
            return f"topic {topic} {told}; it needs one: run crosscurrent check --create-topics"
    try:
        ShardOwnership(max(0, shards.own()), shards.count, events).partitions(
            [place for place in described.places if place[0] in events]
        )
    except Stop as stop:
        return str(stop)
    return None
