"""Producers, and the partition that a key goes to."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from kafka import KafkaProducer
from kafka.partitioner.default import murmur2

BATCH_BYTES = 900_000
"""Just below the size of record batches that brokers take by default."""
MAX_REQUEST_BYTES = 64 * 1024 * 1024
"""The client's own limit. The broker decides what it takes."""
DELIVERY_SECONDS = 60.0


def make_producer(client: Mapping[str, Any], live: bool = False, **options: Any) -> KafkaProducer:
    """Make an idempotent producer. `options` go to KafkaProducer.

    client: bootstrap_servers, security and so on. live: send within 5 ms; otherwise records wait up to 200 ms for
    others, which is twice as fast at full speed. Raises kafka.errors.KafkaError when no broker answers.
    """
    defaults: dict[str, Any] = {
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": "lz4",
        "linger_ms": 5 if live else 200,
        "batch_size": BATCH_BYTES,
        "request_timeout_ms": 15_000,
        "delivery_timeout_ms": int(DELIVERY_SECONDS * 1000),
        "bootstrap_timeout_ms": 6000,
        "max_block_ms": 10_000,  # how long a missing topic may delay its first record
        "allow_auto_create_topics": False,  # the broker, not we, would choose its number of partitions
        "metrics_enabled": False,
    }
    return KafkaProducer(**(defaults | dict(client) | options))


@functools.lru_cache(maxsize=100_000)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the default partitioner's choice. It is cached: its hash in Python is a sixth of the cost of sending."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
