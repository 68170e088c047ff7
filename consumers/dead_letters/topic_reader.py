"""Read the dead-letter topic: letters, and the marks that say which of them were sent back.

A mark is a small record in the same topic, written once the broker has acknowledged the replayed record. It has the
letter's headers and one more, `replayed`, which names the source place as `topic:partition:offset`. Marks count by
source place and time, not by letter: after a crash one record may have two letters, and it is still sent back once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from consumers.config.schema import KafkaConfig
from consumers.errors import USAGE, Stop
from consumers.kafka_client.client import client_options
from consumers.kafka_client.problems.diagnostics import why_unreachable
from consumers.kafka_client.read_to_ends import PATIENCE_SECONDS, READER, read_to_ends

REPLAYED = "replayed"

LetterId = tuple[int, int]
"""(partition, offset) in the dead-letter topic, written `partition:offset`."""
SourcePlace = tuple[str, str, str, str]
"""Topic, partition, offset and timestamp of the source record, as the headers hold them."""


class Letter(NamedTuple):
    """One record of the dead-letter topic; a missing header reads as empty."""

    id: LetterId
    timestamp: int
    """When the letter was written, ms since the epoch."""
    headers: dict[str, str]
    key: bytes | None
    value: bytes | None

    @property
    def name(self) -> str:
        return f"{self.id[0]}:{self.id[1]}"

    @property
    def topic(self) -> str:
        return self.headers.get("topic", "")

    @property
    def reason(self) -> str:
        return self.headers.get("reason", "")

    @property
    def source(self) -> SourcePlace:
        h = self.headers
        return h.get("topic", ""), h.get("partition", ""), h.get("offset", ""), h.get("timestamp", "")

    @property
    def source_ms(self) -> int:
        """Return the source record's time; the letter's own if the log kept none."""
        text = self.headers.get("timestamp", "")
        return int(text) if text.isdecimal() else self.timestamp


def parse_id(text: str) -> LetterId:
    """Parse `partition:offset`. Raises Stop (exit 2)."""
    partition, colon, offset = text.partition(":")
    if not (colon and partition.isdecimal() and offset.isdecimal()):
        raise Stop(f"{text}: an id is partition:offset, as `crosscurrent dead-letters list` shows it", USAGE)
    return int(partition), int(offset)


class LetterLog:
    """Reads the dead-letter topic as it was at the opening. Later records are not read, so reading ends.

    Raises Stop (exit 2) without a broker or topic, and Stop (exit 1) if the broker falls silent during the reading.
    """

    def __init__(self, config: KafkaConfig, patience: float = PATIENCE_SECONDS) -> None:
        self._config = config
        self._topic = config.dead_letter_topic
        self._patience = patience
        try:
            self._consumer = KafkaConsumer(
                **client_options(config),
                **READER,
            )
        except (KafkaError, OSError, ValueError) as error:
            raise Stop(why_unreachable(config, error)) from error
        partitions = sorted(self._consumer.partitions_for_topic(self._topic) or ())
        if not partitions:
            self.close()
            raise Stop(f"topic {self._topic} does not exist (kafka.dead_letter_topic)")
        self._tps = {p: TopicPartition(self._topic, p) for p in partitions}
        self._ends: dict[Any, int] = {}

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=2000)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def replayed(self) -> set[SourcePlace]:
        """Return the source places that were sent back."""
        return {record.source for record in self.read() if REPLAYED in record.headers}

    def letters(self) -> Iterator[Letter]:
        """Yield every letter, in order within its partition."""
        return (record for record in self.read() if REPLAYED not in record.headers)

    def get(self, wanted: LetterId) -> Letter | None:
        """Return one letter; None if there is none with this id."""
        partition, offset = wanted
        if partition not in self._tps:
            return None
        first = next(self.read({partition: offset}), None)
        return first if first and first.id == wanted and REPLAYED not in first.headers else None

    def read(self, begin: dict[int, int] | None = None) -> Iterator[Letter]:
        """Yield the records of all partitions (or those in `begin`, from its offsets) to their ends at the opening."""
        consumer = self._consumer
        places = [tp for p, tp in self._tps.items() if begin is None or p in begin]
        consumer.assign(places)
        for tp in places:
            if begin is None:
                consumer.seek_to_beginning(tp)
            else:
                consumer.seek(tp, begin[tp.partition])
        return map(_letter, read_to_ends(consumer, places, self._ends, self._patience))


def _letter(message: Any) -> Letter:
    headers = {name: (value or b"").decode(errors="replace") for name, value in message.headers}
    return Letter((message.partition, message.offset), message.timestamp, headers, message.key, message.value)
