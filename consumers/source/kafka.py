"""Read the log in Kafka: partitions assigned by hand, offsets from the checkpoint, bytes unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from kafka import OffsetAndMetadata
from kafka import TopicPartition as KafkaPartition
from kafka.errors import KafkaError

from consumers.config.schema import KafkaConfig
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.decode import Topics
from consumers.events.record import Offsets, Record, TopicPartition
from consumers.kafka_client.client import client_options
from consumers.kafka_client.codecs import advice, unreadable_topics
from consumers.kafka_client.diagnostics import why_unreachable
from consumers.kafka_client.errors import on_poll
from consumers.kafka_client.topics import canary_partitions
from consumers.source.options import Clients, SourceOptions
from consumers.source.partition_discovery import PartitionWatch, described
from consumers.source.positions import Positions
from consumers.source.protocol import Unavailable
from consumers.source.resume import gone, of_this_log, truncated
from consumers.source.stable_ends import StableEnds
from consumers.source.time_merge import Patience, TimeMerge

log = structlog.get_logger()

CHUNK_RECORDS = 2_000
"""Most records of one poll of the consumer. After each, partitions that hold enough are paused."""
MIN_FETCH_BYTES, MAX_FETCH_BYTES = 64 * 1024, 256 * 1024
"""Bytes of one fetch of a partition. With many partitions it is small, but a record batch should still fit."""


class KafkaSource:
    """A `Source` that reads Kafka.

    Items and requests to forget are read first, to the end they had at the start. Interactions follow. The topic of
    requests may be missing at first. It, and partitions added to any topic, are read as soon as they are seen. Only
    committed records count: an open transaction is the end of its partition.

    Records of `canary_topic` come among the others, from the topic's end at the start. Nothing waits for a canary, and
    offsets, lag and identity leave canaries out. `canary_problem` says why there are none.
    """

    def __init__(
        self,
        config: KafkaConfig,
        topics: Topics,
        options: SourceOptions = SourceOptions(),  # noqa: B008  it never changes
        clients: Clients = Clients(),  # noqa: B008  it never changes
    ) -> None:
        self._watch: PartitionWatch | None = None
        self._watch_seconds = options.watch_seconds
        self._topics = topics
        self._poll_records = options.poll_records
        self._accept_gap = options.accept_gap
        self._lost = 0
        self._positions = Positions()
        self._merge = TimeMerge(options.buffer_bytes, Patience(options.patience_seconds))
        self._reading_items = True
        self.canaries: dict[TopicPartition, Any] = {}
        self.canary_problem = ""
        self._config, self._clients = config, clients
        self._consumer: Any = None
        try:
            with self._admin() as admin:
                found, self._identity = described(admin, topics)
                self._tps: dict[TopicPartition, Any] = {
                    place: KafkaPartition(*place) for place in sorted(found)
                }
                if options.canary_topic:
                    self.canaries, self.canary_problem = canary_partitions(admin, options.canary_topic)
            self._consumer = self._connect(options.buffer_bytes // 4)
            self._ends = StableEnds(self._consumer)
            unreadable = unreadable_topics(config, self._tps)
        except (KafkaError, OSError, ValueError) as error:
            self.close()
            raise Stop(why_unreachable(config, error)) from error
        if unreadable:
            self.close()
            raise Stop("; ".join(unreadable.values()))

    def _admin(self) -> Any:
        return self._clients.admin(**client_options(self._config))

    def _connect(self, fetched_bytes: int) -> Any:
        """Connect the consumer.

        fetched_bytes: memory for bytes that were fetched and not unpacked yet; each partition has at most one fetch.
        """
        each = fetched_bytes // max(1, len(self._tps))
        return self._clients.consumer(
            **client_options(self._config),
            group_id=self._config.group_id,
            max_poll_records=CHUNK_RECORDS,
            max_partition_fetch_bytes=min(MAX_FETCH_BYTES, max(MIN_FETCH_BYTES, each)),
            fetch_max_bytes=fetched_bytes,
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=20,
            reconnect_backoff_max_ms=1000,
        )

    def start(self, offsets: Offsets, identity: Mapping[str, str], complete: bool = True) -> Offsets:
        known = of_this_log(self._identity, offsets, identity, complete, self._accept_gap)
        consumer, tps = self._consumer, self._tps
        try:
            consumer.assign([*tps.values(), *self.canaries.values()])
            begins = consumer.beginning_offsets(list(tps.values()))
            ends = consumer.end_offsets(list(tps.values()))
        except KafkaError as error:
            raise Stop(why_unreachable(self._config, error)) from error
        for place, tp in tps.items():
            first = known.first(place, begins[tp])
            if first < begins[tp]:
                self._gap(place, first, begins[tp])
                first = begins[tp]
            self._positions.start(place, first, max(first, ends[tp]), empty=ends[tp] <= begins[tp])
            consumer.seek(tp, first)
        if self.canaries:
            consumer.seek_to_end(*self.canaries.values())
        self._watch = PartitionWatch(self._admin, self._topics, self._watch_seconds)
        return self._positions.next({})

    def _adopt_new(self) -> None:
        """Read partitions that were added since the start from their beginning."""
        seen = self._watch.latest() if self._watch is not None else None
        new = sorted(seen[0] - set(self._tps)) if seen is not None else []
        if seen is None or not new:
            return
        log.info("partitions were added", partitions=[f"{topic}:{number}" for topic, number in new])
        for place in new:
            self._identity.setdefault(f"topic:{place[0]}", seen[1][place[0]])
            self._tps[place] = KafkaPartition(*place)
            self._positions.start(place, 0, 0)
        # The other partitions keep their positions.
        self._consumer.assign([*self._tps.values(), *self.canaries.values()])
        for place in new:
            self._consumer.seek(self._tps[place], 0)

    def items_read(self) -> bool:
        return not self._reading_items

    @property
    def waited_for(self) -> set[TopicPartition]:
        """The partitions for which the last poll held back the records of others."""
        return self._merge.waited_for

    def _gap(self, place: TopicPartition, first: int, earliest: int) -> None:
        if not self._accept_gap:
            raise gone(place, first, earliest)
        self._lost += earliest - first

    def _is_first(self, topic: str) -> bool:
        return topic in self._topics and self._topics[topic][1] != "interactions"

    def poll(self, timeout: float) -> list[Record]:
        self._adopt_new()
        if self._reading_items:
            return self._poll_items(timeout)
        busy, holding = False, len(self._merge) > 0
        if not holding or self._merge.starving(self._positions.behind()):
            # If a record can be handed out at once, it does not wait for others.
            busy = self._fetch(0.0 if holding and not self._merge.waited_for else timeout)
        return self._merge.take(self._positions.behind(), self._poll_records, busy)

    def _poll_items(self, timeout: float) -> list[Record]:
        if not len(self._merge):
            self._fetch(timeout)
        records = self._merge.take(set(), self._poll_records)
        if not records and self._positions.fetched_to_start_end(self._is_first):
            self._reading_items = False
        return records

    def _fetch(self, timeout: float) -> bool:
        """Take in what the consumer has. Return whether it had at least one full chunk."""
        taken = self._take_in(timeout)
        busy = taken >= CHUNK_RECORDS
        while taken >= CHUNK_RECORDS:
            taken = self._take_in(0.0)
        return busy

    def _take_in(self, timeout: float) -> int:
        """Take in one chunk. Return its number of records."""
        self._choose()
        try:
            polled = self._consumer.poll(timeout_ms=int(timeout * 1000))
            self._note(polled)
        except KafkaError as error:
            self._refused(error)
            return 0
        return sum(map(len, polled.values()))

    def _refused(self, error: KafkaError) -> None:
        """Handle an error of a poll; return if reading can go on at once. Raises Unavailable or Stop."""
        behaviour = on_poll(error)
        if behaviour == "gap":
            self._out_of_range(error)
        elif behaviour == "no_right":
            self._drop_canaries(error)
        elif behaviour == "no_codec":
            positions = {place: self._positions.position(place) for place in self._tps}
            raise Stop(advice(self._config, positions, error)) from error
        elif behaviour == "retry":
            raise Unavailable(str(error)) from error
        else:
            raise Stop(f"Kafka: {type(error).__name__}: {error}", STATE_UNUSABLE) from error

    def _note(self, polled: dict[Any, list[Any]]) -> None:
        positions = self._positions
        for tp, messages in polled.items():
            place = (tp.topic, tp.partition)
            self._merge.add(place, [Record(*place, m.offset, m.timestamp, m.key, m.value) for m in messages])
            if place in self._tps:
                positions.took(place, messages[-1].offset + 1)
        for place, tp in self._tps.items():
            if (end := self._ends.get(tp)) is not None:
                positions.ends_at(place, end)
                if tp not in polled and positions.is_behind(place):
                    positions.skipped(place, self._consumer.position(tp, timeout_ms=0) or 0)

    def _choose(self) -> None:
        """Let the consumer fetch what may be read now; partitions that hold enough wait."""
        everything = self._tps | self.canaries
        full = self._merge.full(len(everything))
        wanted = {
            tp
            for place, tp in everything.items()
            if place not in full and (not self._reading_items or self._is_first(place[0]))
        }
        paused = self._consumer.paused()
        self._consumer.resume(*(paused & wanted))
        self._consumer.pause(*(set(everything.values()) - wanted - paused))

    def _drop_canaries(self, error: Exception) -> None:
        """Handle a refusal to read. For the canaries' topic: go on without canaries. For any other topic: stop."""
        denied = error.args[0] if error.args else ()
        if not self.canaries or set(denied) - {topic for topic, _ in self.canaries}:
            raise Stop(f"Kafka: {type(error).__name__}: {error}") from error
        log.warning("may not read canaries; the service runs without them", topics=sorted(denied))
        self._consumer.assign(list(self._tps.values()))
        self.canaries = {}

    def _out_of_range(self, error: Exception) -> None:
        if self.canaries and set(error.args[0]) <= set(self.canaries.values()):  # old canaries are worthless
            self._consumer.seek_to_end(*error.args[0])
            return
        begins = self._consumer.beginning_offsets(list(self._tps.values()))
        at = self._positions.position
        jumps = {p: begins[tp] for p, tp in self._tps.items() if at(p) < begins[tp]}
        if not jumps:
            if not self._accept_gap:
                raise truncated(error) from error
            bad = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
            jumps = {(tp.topic, tp.partition): begins[tp] for tp in bad}
        for place, earliest in jumps.items():
            self._gap(place, min(at(place), earliest), earliest)
            self._positions.jump(place, earliest)
            self._consumer.seek(self._tps[place], earliest)

    def commit(self, offsets: Offsets) -> None:
        try:
            self._consumer.commit(
                {self._tps[p]: OffsetAndMetadata(o) for p, o in offsets.items() if p in self._tps},
                timeout_ms=2000,
            )
        except KafkaError as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error

    def identity(self) -> dict[str, str]:
        return dict(self._identity)

    def next_offsets(self, offsets: Offsets) -> Offsets:
        return self._positions.next(offsets)

    def lag(self, offsets: Offsets) -> dict[TopicPartition, int]:
        return self._positions.lag(offsets)

    def waiting(self) -> list[Record]:
        return [head for head in self._merge.heads() if (head.topic, head.partition) in self._tps]

    def reached_start_end(self, offsets: Offsets) -> bool:
        return not self._reading_items and self._positions.reached_start_end(offsets)

    def lost(self) -> int:
        return self._lost

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()
        if self._consumer is not None:
            self._consumer.close(autocommit=False, timeout_ms=2000)
