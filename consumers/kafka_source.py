"""The log in Kafka: partitions assigned by hand, offsets from the checkpoint, bytes as they are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, OffsetOutOfRangeError, TopicAuthorizationFailedError

from consumers.canary import create_topic
from consumers.config import Kafka
from consumers.decode import Topics
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.merge import TimeMerge
from consumers.partition_watch import PartitionWatch, places
from consumers.source import Offsets, Place, Record, Unavailable
from consumers.unreachable import unreachable

log = structlog.get_logger()

WATCH_SECONDS = 5.0
"""Between two looks for partitions that were added."""
PATIENCE_SECONDS = 1.0
"""How long time order may hold records back when nothing more is delivered."""
FETCH_RECORDS = 100_000
"""A whole fetch is taken in at once: a partition's batch holds thousands of records, and a smaller poll would
hand out one partition's to their end before the next one's first."""


class KafkaSource:
    """See `source.Source`. Items and requests to forget are read to their end before the first interaction is handed
    out. The topic of requests may be missing at first; it, and partitions added to any topic, are read once seen.

    Records of `canary_topic` come among the others, from its end at start on; nothing waits for one, and neither
    offsets nor lag nor identity know of them. `canary_problem` says why there are none.
    """

    def __init__(
        self,
        config: Kafka,
        topics: Topics,
        poll_records: int = 2000,
        accept_gap: bool = False,
        canary_topic: str = "",
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        self._watch: PartitionWatch | None = None
        self._watch_seconds = watch_seconds
        self._topics = topics
        self._poll_records = poll_records
        self._accept_gap = accept_gap
        self._lost = 0
        self._positions: Offsets = {}
        """The next offset to fetch …"""
        self._polled: Offsets = {}
        """… and one past the last record that came; control and compacted offsets may lie between."""
        self._started: Offsets = {}
        self._start_ends: Offsets = {}
        self._identity: dict[str, str] = {}
        self._merge = TimeMerge()
        self._held_since: float | None = None
        self._reading_items = True
        self.canaries: dict[Place, Any] = {}
        self.canary_problem = ""
        self._config = config
        try:
            self._consumer = KafkaConsumer(
                **config.client(),
                group_id=config.group_id,
                max_poll_records=FETCH_RECORDS,
                max_partition_fetch_bytes=256 * 1024,
                enable_auto_commit=False,
                auto_offset_reset="none",
                allow_auto_create_topics=False,
                isolation_level="read_committed",
                fetch_max_wait_ms=20,
                reconnect_backoff_max_ms=1000,
            )
        except (KafkaError, OSError, ValueError) as error:
            raise Stop(unreachable(config, error)) from error
        try:
            with KafkaAdminClient(**config.client()) as admin:
                self._describe(admin)
                if canary_topic:
                    self._find_canaries(admin, canary_topic)
        except (KafkaError, OSError, ValueError) as error:
            self.close()
            raise Stop(unreachable(config, error)) from error
        except Stop:
            self.close()
            raise

    def _describe(self, admin: Any) -> None:
        cluster = admin.describe_cluster().get("cluster_id")
        found, ids = places(admin, self._topics)
        missing = [t for t, (_, kind) in self._topics.items() if t not in ids and kind != "forget"]
        if missing:
            raise Stop(
                f"missing topics: {', '.join(missing)}. Create them, for example: crosscurrent check "
                "--create-topics, or kafka-topics.sh --create --topic NAME --partitions 4"
            )
        self._identity = {"cluster": str(cluster)} | {f"topic:{name}": ids[name] for name in ids}
        self._tps: dict[Place, Any] = {place: TopicPartition(*place) for place in sorted(found)}

    def _find_canaries(self, admin: Any, topic: str) -> None:
        """The topic's partitions; it is made if it is missing. Whatever forbids that must not stop the events."""
        try:
            (described,) = admin.describe_topics([topic])
            if not described["partitions"]:
                create_topic(admin, topic)
                (described,) = admin.describe_topics([topic])
            found = [(topic, int(partition["partition_index"])) for partition in described["partitions"]]
            self.canaries = {place: TopicPartition(*place) for place in found}
            self.canary_problem = "" if found else f"{topic} cannot be described"
        except KafkaError as error:
            self.canary_problem = f"{topic}: {type(error).__name__}"

    def start(self, offsets: Offsets, identity: Mapping[str, str]) -> Offsets:
        offsets = self._of_this_log(offsets, identity)
        consumer, tps = self._consumer, self._tps
        try:
            consumer.assign([*tps.values(), *self.canaries.values()])
            begins = consumer.beginning_offsets(list(tps.values()))
            ends = consumer.end_offsets(list(tps.values()))
        except KafkaError as error:
            raise Stop(unreachable(self._config, error)) from error
        for place, tp in tps.items():
            wanted = offsets.get(place, begins[tp] if not offsets else 0)
            if wanted < begins[tp]:
                self._gap(place, wanted, begins[tp])
                wanted = begins[tp]
            self._started[place] = self._positions[place] = self._polled[place] = wanted
            consumer.seek(tp, wanted)
            if ends[tp] <= begins[tp]:
                self._start_ends[place] = ends[tp]
        if self.canaries:
            consumer.seek_to_end(*self.canaries.values())
        events = (tp for (topic, _), tp in tps.items() if not self._is_first(topic))
        consumer.pause(*events, *self.canaries.values())
        self._watch = PartitionWatch(self._config, self._topics, self._watch_seconds)
        return {place: self._started[place] for place in offsets if place in self._started}

    def _adopt_new(self) -> None:
        """Partitions that were added since the start are read from their beginning."""
        seen = self._watch.take() if self._watch is not None else None
        new = sorted(seen[0] - set(self._tps)) if seen is not None else []
        if seen is None or not new:
            return
        log.info("partitions were added", partitions=[f"{topic}:{number}" for topic, number in new])
        self._tps |= {place: TopicPartition(*place) for place in new}
        # The others stay where they are.
        self._consumer.assign([*self._tps.values(), *self.canaries.values()])
        for place in new:
            self._identity.setdefault(f"topic:{place[0]}", seen[1][place[0]])
            self._started[place] = self._positions[place] = self._polled[place] = 0
            self._consumer.seek(self._tps[place], 0)
            if self._reading_items and not self._is_first(place[0]):
                self._consumer.pause(self._tps[place])

    def items_read(self) -> bool:
        return not self._reading_items

    def _of_this_log(self, offsets: Offsets, identity: Mapping[str, str]) -> Offsets:
        """The offsets that mean this log: all of them, or (--accept-gap) none of another cluster or topic."""
        other = [key for key, value in identity.items() if self._identity.get(key, value) != value]
        if other and not self._accept_gap:
            raise Stop(
                f"the checkpoint belongs to another log ({', '.join(other)} differ). Point kafka.bootstrap_servers "
                "at the log it was made from, or start with an empty checkpoint directory; "
                "--accept-gap reads the new log from its beginning.",
                STATE_UNUSABLE,
            )
        return {p: o for p, o in offsets.items() if not {"cluster", f"topic:{p[0]}"} & set(other)}

    def _gap(self, place: Place, first: int, earliest: int) -> None:
        if not self._accept_gap:
            raise Stop(
                f"{place[0]} partition {place[1]}: offsets {first} to {earliest - 1} are gone from the log "
                f"({earliest - first} records). Restore them, or go on without: crosscurrent run --accept-gap",
                STATE_UNUSABLE,
            )
        self._lost += earliest - first

    def _is_first(self, topic: str) -> bool:
        return self._topics[topic][1] != "interactions"

    def poll(self, timeout: float) -> list[Record]:
        self._adopt_new()
        starving = any(not self._merge.holds(place) for place in self._behind())
        progress = (starving or not len(self._merge)) and self._fetch(timeout)
        if self._reading_items:
            records = self._merge.take(set(), self._poll_records, force=True)
            if not records and self._items_read():
                self._reading_items = False
                self._consumer.resume(*self._tps.values(), *self.canaries.values())
            return records
        behind = self._behind()
        now = time.monotonic()
        impatient = self._held_since is not None and now - self._held_since > PATIENCE_SECONDS
        records = self._merge.take(behind, self._poll_records, force=impatient)
        if records or progress or not len(self._merge):
            self._held_since = None
        elif self._held_since is None:
            self._held_since = now
        return records

    def _fetch(self, timeout: float) -> bool:
        """Takes in what the consumer has; True if that was anything."""
        try:
            polled = self._consumer.poll(timeout_ms=int(timeout * 1000))
        except OffsetOutOfRangeError as error:
            self._out_of_range(error)
            return False
        except TopicAuthorizationFailedError as error:
            self._drop_canaries(error)
            return False
        except KafkaError as error:
            if getattr(error, "retriable", False):
                raise Unavailable(str(error)) from error
            raise Stop(f"Kafka: {type(error).__name__}: {error}", STATE_UNUSABLE) from error
        for tp, messages in polled.items():
            place = (tp.topic, tp.partition)
            self._merge.add(place, [Record(*place, m.offset, m.timestamp, m.key, m.value) for m in messages])
            self._positions[place] = self._polled[place] = messages[-1].offset + 1
        for place, tp in self._tps.items():
            if (end := self._consumer.highwater(tp)) is None:
                continue
            self._start_ends.setdefault(place, end)
            if self._positions[place] < end and tp not in polled:  # a transaction's end, a compacted record
                self._positions[place] = max(self._positions[place], self._consumer.position(tp) or 0)
        if not self._reading_items:
            full = {(self._tps | self.canaries)[place] for place in self._merge.full()}
            paused = self._consumer.paused()
            self._consumer.resume(*(paused - full))
            self._consumer.pause(*(full - paused))
        return bool(polled)

    def _drop_canaries(self, error: Exception) -> None:
        """Reading is not allowed: of the canaries' topic it is done without, of any other it is the end."""
        denied = error.args[0] if error.args else ()
        if not self.canaries or set(denied) - {topic for topic, _ in self.canaries}:
            raise Stop(f"Kafka: {type(error).__name__}: {error}") from error
        log.warning("may not read canaries, goes on without", topics=sorted(denied))
        self._consumer.assign(list(self._tps.values()))
        self.canaries = {}

    def _out_of_range(self, error: Exception) -> None:
        if self.canaries and set(error.args[0]) <= set(self.canaries.values()):  # nobody misses an old canary
            self._consumer.seek_to_end(*error.args[0])
            return
        begins = self._consumer.beginning_offsets(list(self._tps.values()))
        gone = {p: begins[tp] for p, tp in self._tps.items() if self._positions[p] < begins[tp]}
        if not gone:
            if not self._accept_gap:
                raise Stop(
                    f"offset out of range: {error}. The log ends before the checkpoint does: it was "
                    "truncated or replaced. --accept-gap reads it from its beginning.",
                    STATE_UNUSABLE,
                ) from error
            bad = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
            gone = {(tp.topic, tp.partition): begins[tp] for tp in bad}
        for place, earliest in gone.items():
            self._gap(place, min(self._positions[place], earliest), earliest)
            self._positions[place] = self._polled[place] = earliest
            self._consumer.seek(self._tps[place], earliest)

    def _end(self, place: Place) -> int:
        end = self._consumer.highwater(self._tps[place])
        return self._positions[place] if end is None else int(end)

    def _behind(self) -> set[Place]:
        full = self._merge.full()
        return {
            place
            for place in self._tps
            if place not in full
            and (place not in self._start_ends or self._positions[place] < self._end(place))
        }

    def _items_read(self) -> bool:
        return all(
            place in self._start_ends and self._positions[place] >= self._end(place)
            for place in self._tps
            if self._is_first(place[0])
        )

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

    def _next(self, place: Place, offsets: Offsets) -> int:
        """The next offset to learn, beyond what follows the last learned record without being one."""
        learned = max(offsets.get(place, 0), self._started[place])
        return self._positions[place] if learned >= self._polled[place] else learned

    def lag(self, offsets: Offsets) -> dict[Place, int]:
        return {place: max(0, self._end(place) - self._next(place, offsets)) for place in self._tps}

    def reached_start_end(self, offsets: Offsets) -> bool:
        return not self._reading_items and all(
            place in self._start_ends and self._next(place, offsets) >= self._start_ends[place]
            for place in self._tps
        )

    def lost(self) -> int:
        return self._lost

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()
        self._consumer.close(autocommit=False, timeout_ms=2000)
