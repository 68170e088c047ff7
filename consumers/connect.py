"""Reaching the broker and the store before anything heavy is loaded: one clear line where they are away."""

from __future__ import annotations

import redis

from consumers.config import Settings
from consumers.errors import Stop
from consumers.kafka_source import KafkaSource
from serving.publisher import connect, redacted


def connect_store(settings: Settings) -> redis.Redis:
    """A client whose server has just answered. Raises Stop."""
    try:
        client = connect(settings.redis.url)
        client.ping()
    except (redis.RedisError, OSError, ValueError) as error:
        raise Stop(
            f"Redis at {redacted(settings.redis.url)} cannot be reached ({type(error).__name__}). Start it, or "
            "set redis.url (CROSSCURRENT_REDIS__URL)."
        ) from error
    return client


def connect_source(settings: Settings, accept_gap: bool = False) -> KafkaSource:
    """The log with all topics there. Raises Stop."""
    canary = settings.kafka.canary_topic
    return KafkaSource(settings.kafka, settings.topics(), accept_gap=accept_gap, canary_topic=canary)
