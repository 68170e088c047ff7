"""Read from a topic's settings which of its records Kafka deletes, and when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from consumers.kafka_client.topics import topic_settings

REMOVALS_SECONDS = 86_400.0
"""Kafka's default of `delete.retention.ms`."""


def removals_kept(admin: Any, topics: Iterable[str]) -> dict[str, float]:
    """Return for each compacted topic how many seconds at least it keeps a record without a value.

    A topic whose settings the broker does not tell counts as compacted, with Kafka's default.
    """
    kept = {}
    for topic in topics:
        told = topic_settings(admin, topic)
        if "compact" in told.get("cleanup.policy", "compact"):
            millis = told.get("delete.retention.ms")
            kept[topic] = REMOVALS_SECONDS if millis is None else int(millis) / 1000
    return kept


def requests_may_expire(admin: Any, topic: str) -> str | None:
    """Return a warning if the topic may delete requests to forget before they are read; None if it keeps them all.

    A topic whose settings the broker does not tell counts as one that keeps them.
    """
    told = topic_settings(admin, topic)
    policy = told.get("cleanup.policy", "compact")
    limits = [name for name in ("retention.ms", "retention.bytes") if int(told.get(name, -1)) >= 0]
    if "delete" not in policy or not limits:
        return None
    how = ", ".join(f"{name}={told[name]}" for name in ("cleanup.policy", *limits))
    return (
        f"{topic} deletes requests to forget after some time, read or not ({how}). A user would not be forgotten: "
        f"set cleanup.policy=compact"
    )
