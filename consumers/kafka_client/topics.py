"""Topics: their partitions, how they are created, and how large a record they take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, TopicAlreadyExistsError, TopicAuthorizationFailedError

from consumers.events.record import Kind, TopicPartition
from consumers.kafka_client.problems.acls import HIDDEN

CANARY_TOPIC: dict[str, Any] = {
    "num_partitions": 1,
    "replication_factor": -1,
    "configs": {"retention.ms": "3600000"},
}
"""One partition keeps canaries in order. Old canaries are not needed."""


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
            create(admin, missing)
        return list(missing)


def create(admin: Any, topics: Mapping[str, Mapping[str, Any]]) -> bool:
    """Create topics with these settings, by name. Return False if one exists already. Raises KafkaError."""
    try:
        admin.create_topics(topics, wait_for_metadata=True)
    except TopicAlreadyExistsError:  # another process was faster
        return False
    return True


class Described(NamedTuple):
    """What a broker tells about some topics."""

    places: set[TopicPartition]
    """Every partition of the topics that it shows."""
    ids: dict[str, str]
    """Their ids: a topic that is deleted and created again gets another id."""
    hidden: set[str]
    """Topics that this user may not describe; they may exist or not."""
    unreadable: set[str]
    """Topics that this user may describe, but not read; empty if the broker does not tell the user's rights."""

    def counts(self) -> dict[str, int]:
        """Return the number of partitions of each topic that it shows."""
        return dict(Counter(topic for topic, _ in self.places))


def partition_counts(admin: Any, topics: Iterable[str]) -> dict[str, int]:
    """Return the number of partitions of each topic that exists."""
    return describe(admin, topics).counts()


def describe(admin: Any, topics: Iterable[str]) -> Described:
    """Ask for partitions, ids and rights. Topics that do not exist are left out. Raises KafkaError."""
    described = Described(set(), {}, set(), set())
    for topic in admin.describe_topics(list(topics)):
        name, rights = topic["name"], topic.get("authorized_operations") or ()
        if topic["error_code"] == HIDDEN:
            described.hidden.add(name)
        elif not topic["error_code"] and topic["partitions"]:
            described.ids[name] = str(topic.get("topic_id"))
            described.places.update((name, int(p["partition_index"])) for p in topic["partitions"])
            if "DESCRIBE" in rights and not {"READ", "ALL"} & set(rights):
                described.unreadable.add(name)
    return described


def create_canary_topic(admin: Any, topic: str) -> None:
    """Create the topic of canaries. Raises KafkaError if that is not allowed."""
    create(admin, {topic: CANARY_TOPIC})


def canary_partitions(admin: Any, topic: str) -> tuple[set[TopicPartition], str]:
    """Return the partitions of the canaries' topic, or why there are none. A missing topic is created.

    A refusal is no error: it must not stop the events.
    """
    try:
        (described,) = admin.describe_topics([topic])
        if not described["partitions"]:
            create_canary_topic(admin, topic)
            (described,) = admin.describe_topics([topic])
    except KafkaError as error:
        rights = ", ".join(f"{operation} on Topic:{topic}" for operation in ("Read", "Write", "Create"))
        denied = isinstance(error, TopicAuthorizationFailedError)
        return set(), f"{topic}: {f'they need {rights}' if denied else type(error).__name__}"
    found = {(topic, int(partition["partition_index"])) for partition in described["partitions"]}
    return found, "" if found else f"{topic} cannot be described"


def topic_settings(admin: Any, topic: str) -> dict[str, str]:
    """Return the settings of a topic by name; none if the broker does not tell them, as it may refuse to."""
    try:
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
        return {name: str(setting["value"]) for name, setting in found["topic"][topic].items()}
    except (KafkaError, AttributeError, KeyError, TypeError):
        return {}


def message_limits(admin: Any, topics: Iterable[str]) -> dict[str, int]:
    """Return `max.message.bytes` of each topic for which the broker tells it."""
    told = {topic: topic_settings(admin, topic).get("max.message.bytes") for topic in topics}
    return {topic: int(limit) for topic, limit in told.items() if limit is not None}
