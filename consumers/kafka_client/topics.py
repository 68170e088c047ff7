"""Create topics, and ask for their partitions and for the largest record that they take."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import KafkaAdminClient
from kafka import TopicPartition as KafkaPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError

from consumers.events.record import Kind, TopicPartition

CANARY_TOPIC: dict[str, Any] = {
    "num_partitions": 1,
    "replication_factor": -1,
    "configs": {"retention.ms": "3600000"},
}
"""One partition keeps canaries in order. Old ones are worthless."""


def create_topics(
    client: Mapping[str, Any], topics: Iterable[tuple[str, Kind]], partitions: int = 4
) -> list[str]:
    """Create the topics that are missing; return their names. Item topics are compacted, with one partition.

    The replication factor is the broker's default. Raises kafka.errors.KafkaError.
    """
    with KafkaAdminClient(**client) as admin:
        there = set(admin.list_topics())
        missing = {
            name: {
                "num_partitions": partitions if kind == "interactions" else 1,
                "replication_factor": -1,
                "configs": {} if kind == "interactions" else {"cleanup.policy": "compact"},
            }
            for name, kind in topics
            if name not in there
        }
        if missing:
            with contextlib.suppress(TopicAlreadyExistsError):  # another process was faster
                admin.create_topics(missing, wait_for_metadata=True)
        return list(missing)


def partition_counts(admin: Any, topics: Iterable[str]) -> dict[str, int]:
    """Return the number of partitions of each topic that exists."""
    return {
        t["name"]: len(t["partitions"])
        for t in admin.describe_topics(list(topics))
        if not t["error_code"] and t["partitions"]
    }


def places(admin: Any, topics: Iterable[str]) -> tuple[set[TopicPartition], dict[str, str]]:
    """Return every partition of the topics that exist, and the topics' ids. Raises KafkaError."""
    found: set[TopicPartition] = set()
    ids: dict[str, str] = {}
    for topic in admin.describe_topics(list(topics)):
        if not topic["error_code"] and topic["partitions"]:
            ids[topic["name"]] = str(topic.get("topic_id"))
            found |= {(topic["name"], int(p["partition_index"])) for p in topic["partitions"]}
    return found, ids


def create_canary_topic(admin: Any, topic: str) -> None:
    """Create the topic of canaries. Raises KafkaError if that is not allowed."""
    with contextlib.suppress(TopicAlreadyExistsError):  # another process was faster
        admin.create_topics({topic: CANARY_TOPIC}, wait_for_metadata=True)


def canary_partitions(admin: Any, topic: str) -> tuple[dict[TopicPartition, Any], str]:
    """Return the partitions of the canaries' topic, or why there are none. A missing topic is created.

    A refusal is no error: events go on without canaries.
    """
    try:
        (described,) = admin.describe_topics([topic])
        if not described["partitions"]:
            create_canary_topic(admin, topic)
            (described,) = admin.describe_topics([topic])
    except KafkaError as error:
        return {}, f"{topic}: {type(error).__name__}"
    numbers = [int(partition["partition_index"]) for partition in described["partitions"]]
    found = {(topic, number): KafkaPartition(topic, number) for number in numbers}
    return found, "" if found else f"{topic} cannot be described"


def message_limits(admin: Any, topics: Iterable[str]) -> dict[str, int]:
    """Return `max.message.bytes` of each topic, as far as the broker tells it."""
    limits = {}
    for topic in topics:
        try:
            found = admin.describe_configs(
                [ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all"
            )
            limits[topic] = int(found["topic"][topic]["max.message.bytes"]["value"])
        except (KafkaError, KeyError, TypeError, ValueError):
            continue
    return limits
