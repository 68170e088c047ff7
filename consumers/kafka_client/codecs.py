"""Compressed topics: which packages decompress them, and which topic needs one that is not installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from kafka import KafkaConsumer, codec
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError, UnsupportedCodecError

from consumers.config.schema import KafkaConfig
from consumers.events.record import Offsets, TopicPartition
from consumers.kafka_client.client import client_options

PACKAGES = {"snappy": "python-snappy", "lz4": "lz4", "zstd": "zstandard"}
"""The package that kafka-python needs for each codec."""
POLLS = 50
POLL_MS = 100


def missing_codecs() -> list[str]:
    """Return the codecs that cannot be read here."""
    there = {"snappy": codec.has_snappy, "lz4": codec.has_lz4, "zstd": codec.has_zstd}
    return [name for name, has in there.items() if not has()]


def unreadable_topics(config: KafkaConfig, places: Iterable[TopicPartition]) -> dict[str, str]:
    """Return what to do about each topic whose newest records cannot be decompressed; empty if every codec is there.

    Raises KafkaError.
    """
    if not missing_codecs():
        return {}
    tps = [KafkaPartition(*place) for place in places]
    with _consumer(config) as consumer:
        begins, ends = consumer.beginning_offsets(tps), consumer.end_offsets(tps)
        return dict(_unreadable(consumer, {tp: max(begins[tp], ends[tp] - 1) for tp in tps}))


def advice(config: KafkaConfig, positions: Offsets, error: UnsupportedCodecError) -> str:
    """Say what to do about `error`, which names the codec but not the topic.

    The topic is looked for at `positions`, the next offsets to fetch.
    """
    # It has a consumer of its own: polling the one that raised this again never returns (kafka-python 3.0.12).
    with contextlib.suppress(KafkaError), _consumer(config) as consumer:
        for _, line in _unreadable(consumer, {KafkaPartition(*p): at for p, at in positions.items()}):
            return line
    return cure("a topic", error)


def _consumer(config: KafkaConfig) -> Any:
    return KafkaConsumer(**client_options(config), group_id=None, enable_auto_commit=False)


def _unreadable(consumer: Any, positions: dict[Any, int]) -> Iterator[tuple[str, str]]:
    """Find the topics that cannot be decompressed, reading each from `positions` on."""
    for topic in sorted({tp.topic for tp in positions}):
        tps = [tp for tp in positions if tp.topic == topic]
        consumer.assign(tps)
        for tp in tps:
            consumer.seek(tp, positions[tp])
        try:
            for _ in range(POLLS):
                answered = all(consumer.highwater(tp) is not None for tp in tps)
                if not consumer.poll(timeout_ms=POLL_MS) and answered:
                    break
        except UnsupportedCodecError as error:
            yield topic, cure(f"topic {topic}", error)


def cure(topic: str, error: UnsupportedCodecError) -> str:
    """Say in one line what to do about `error`."""
    missing = [name for name in PACKAGES if name in str(error)]
    if not missing:
        return f"{topic} cannot be decompressed: {error}"
    packages = " ".join(PACKAGES[name] for name in missing)
    return (
        f"{topic} is compressed with {' or '.join(missing)}, and the package that reads this is not installed. "
        f"Install it: pip install {packages}"
    )
