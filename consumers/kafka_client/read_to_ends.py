"""Read partitions to the ends that they had at the beginning, for commands that must know everything in a topic."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from kafka.errors import KafkaError, UnsupportedCodecError

from consumers.errors import BUG, Stop
from consumers.kafka_client.codecs import cure

PATIENCE_SECONDS = 20.0
"""Seconds for which the broker may deliver nothing before reading is given up."""
READER: dict[str, Any] = {
    "group_id": None,
    "max_poll_records": 5000,
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",  # retention may delete the first offset while it is read
    "allow_auto_create_topics": False,
    "isolation_level": "read_committed",
}
"""Options of a consumer for this."""


def read_to_ends(
    consumer: Any, places: Sequence[Any], ends: dict[Any, int], patience: float = PATIENCE_SECONDS
) -> Iterator[Any]:
    """Yield the messages of assigned partitions from their positions on. Later messages are not read, so reading ends.

    places: kafka-python's partitions. ends: the first end that each has told; it is filled here. Raises Stop.
    """
    deadline = time.monotonic() + patience
    try:
        while unfinished := [tp for tp in places if not _at_end(consumer, tp, ends)]:
            polled = consumer.poll(timeout_ms=200)
            if polled:
                deadline = time.monotonic() + patience
            elif time.monotonic() > deadline:
                raise Stop(f"the broker does not deliver {unfinished[0].topic} to its end", BUG)
            for tp, messages in polled.items():
                end = _end(consumer, tp, ends)
                for message in messages:
                    if end is not None and message.offset >= end:
                        break
                    yield message
    except UnsupportedCodecError as error:
        raise Stop(cure(f"topic {places[0].topic}", error)) from error
    except KafkaError as error:
        raise Stop(f"Kafka: {type(error).__name__}: {error}", BUG) from error


def _end(consumer: Any, tp: Any, ends: dict[Any, int]) -> int | None:
    """Return the first end seen. The embedded broker's `end_offsets()` are too low; the high watermark is right."""
    if tp not in ends and (end := consumer.highwater(tp)) is not None:
        ends[tp] = end
    return ends.get(tp)


def _at_end(consumer: Any, tp: Any, ends: dict[Any, int]) -> bool:
    end = _end(consumer, tp, ends)
    return end is not None and (end == 0 or (consumer.position(tp, timeout_ms=1000) or 0) >= end)
