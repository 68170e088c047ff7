"""How large a batch of records each topic takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError


def message_limits(admin: Any, topics: Iterable[str]) -> dict[str, int]:
    """`max.message.bytes` of the topics of which the broker tells it; it may keep that from us."""
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
