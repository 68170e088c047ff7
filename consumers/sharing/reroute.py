"""Send events that lie in another partition than that of their key on to the right one, and take such events in."""

from __future__ import annotations

from typing import Any

import msgspec

from consumers.config.schema import KafkaConfig, Settings
from consumers.dead_letters.kafka_sink import KafkaSink, Letters
from consumers.dead_letters.sink import DeadLetter, Sink
from consumers.events.deduplication import DedupWindow
from consumers.events.record import Record
from consumers.kafka_client.producer import partition_of
from models.state.tracked_tables import Checkpointed
from serving.shard_metrics import ShardMetrics

REMEMBERED = 100_000
"""How many of the latest events that came this way are searched for a repeated one."""


class Rerouted(msgspec.Struct, frozen=True):
    """What takes the place of a record that was sent on: nothing is learned from it here."""


class _Envelope(msgspec.Struct, array_like=True):
    """The value of a record on the topic: where it was read first, its time (ms) and its value."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    value: bytes | None


_encoder, _decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(_Envelope)


def reroute_sink(config: KafkaConfig, topic: str) -> KafkaSink:
    """Return what sends records on: it keeps each until it is acknowledged. Raises Stop (exit 2) without the topic."""
    config = msgspec.structs.replace(config, dead_letter_topic=topic)
    return KafkaSink(config, letters=Letters("rerouted events", whole=True))


class Reroute(Checkpointed):
    """Looks at the partition of each event. Producers may use another partitioner than Kafka's own, murmur2.

    A record without a key stays where it is. A record is safe once `sink.wait` says so. After a crash it may be sent
    once more, and is then dropped by where it was read first. So the order of a user's events can change only while
    two producers disagree.
    """

    def __init__(self, settings: Settings, partitions: int, sink: Sink, metrics: ShardMetrics) -> None:
        """partitions: of every topic of events."""
        self._topic, self._partitions = settings.shards.reroute_topic, partitions
        self._events = frozenset(settings.event_topics()) - {self._topic}
        self.sink, self._metrics = sink, metrics
        self._seen = DedupWindow(REMEMBERED)

    def look(self, record: Record) -> Record | Rerouted:
        """Return the record to decode, for one that came this way as it was read first; `Rerouted` if it is sent on."""
        if record.topic == self._topic:
            first = _first(record)
            if first is None:
                return record  # of another program: it belongs to no domain
            return Record(
                first.topic, first.partition, first.offset, first.timestamp, record.key, first.value
            )
        if record.topic not in self._events or record.key is None:
            return record
        if partition_of(record.key, self._partitions) == record.partition:
            return record
        self.sink.send(_letter(record))
        self._metrics.rerouted.inc()
        return Rerouted()

    def repeated(self, record: Record) -> bool:
        """Return whether a record that is learned now came this way before, and remember it."""
        if record.topic != self._topic:
            return False
        first = _first(record)
        return first is not None and self._seen.repeated(first.topic, f"{first.partition}:{first.offset}")

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return self._seen.live()

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self._seen.load(state)


def _first(record: Record) -> _Envelope | None:
    """Return where the record was read first; None for a record of another program."""
    try:
        return _decoder.decode(record.value or b"")
    except msgspec.DecodeError:
        return None


def _letter(record: Record) -> DeadLetter:
    body = _Envelope(record.topic, record.partition, record.offset, record.timestamp, record.value)
    origin = {"topic": record.topic, "partition": str(record.partition), "offset": str(record.offset)}
    headers = [(name, value.encode()) for name, value in (origin | {"reason": "rerouted"}).items()]
    return DeadLetter(record.key, _encoder.encode(body), headers)
