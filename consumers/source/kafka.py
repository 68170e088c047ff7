"""Read the log in Kafka: partitions assigned by hand, offsets from the checkpoint, bytes unchanged."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Set
from typing import Any

import structlog
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.errors import KafkaError

from consumers.config.schema import KafkaConfig
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.decode import Topics
from consumers.events.record import Offsets, Record, TopicPartition
from consumers.kafka_client.client import client_options
from consumers.kafka_client.codecs import advice
from consumers.kafka_client.errors import denied_topics, misplaced, on_poll
from consumers.kafka_client.problems.diagnostics import latest_refusal, why_unreachable
from consumers.kafka_client.topics import describe
from consumers.source.commits import Commits
from consumers.source.log_consumer import CHUNK_RECORDS, LogConsumer
from consumers.source.options import SourceOptions
from consumers.source.positions import Positions
from consumers.source.protocol import NEVER, Times, Unavailable
from consumers.source.resume import gone, of_this_log, stop_if_made_anew, truncated
from consumers.source.time_merge import Patience, TimeMerge
from consumers.source.trouble import Trouble
from consumers.source.watch.compacted_items import CompactedItems
from consumers.source.watch.topic_watch import TopicWatch, at_start

REFUSED_SECONDS = 10.0
log = structlog.get_logger()


class KafkaSource:
    """A `Source` that reads Kafka.

    Items and requests to forget are read first, to the end they had at the start. Interactions follow. The topic of
    requests may be missing at first. It, and partitions added to any topic, are read as soon as they are seen. Only
    committed records count: an open transaction is the end of its partition.
    Records of `canary_topic` come among the others, from the topic's end at the start. Nothing waits for a canary;
    offsets, lag and identity leave canaries out. `canary_problem` says why there are none. client: makes consumers.
    """

    def __init__(
        self,
        config: KafkaConfig,
        topics: Topics,
        options: SourceOptions = SourceOptions(),  # noqa: B008  it never changes
        client: Callable[..., Any] = KafkaConsumer,
    ) -> None:
        self._watch: TopicWatch | None = None
        self._commits: Commits | None = None
        self._topics, self._options, self._reading_items = topics, options, True
        self._lost, self._positions = 0, Positions()
        self._merge = TimeMerge(options.buffer_bytes, Patience(options.patience_seconds))
        self._config, self._trouble, self._chosen = config, Trouble(config), object()
        self._first = {topic for topic, (_, kind) in topics.items() if kind in {"items", "forget"}}
        try:
            found = at_start(config, topics, options)
            self._places, self._identity = options.ownership.of(found.places), found.identity
            self.partitions = max((n + 1 for t, n in found.places if t not in self._first), default=1)
            self.canaries, self.canary_problem = found.canaries
            self._consumer = LogConsumer(config, options.buffer_bytes // 4, len(self._places), client)
        except (KafkaError, OSError, ValueError) as error:
            raise Stop(why_unreachable(config, error)) from error
        self._items = CompactedItems(found.removals_kept, options.late_seconds)

    def _assign(self) -> None:
        self._consumer.assign([*sorted(self._places), *sorted(self.canaries)])
        self._chosen = object()

    def start(
        self, offsets: Offsets, identity: Mapping[str, str], complete: bool = True, at_end: Times = NEVER
    ) -> Offsets:
        known = of_this_log(self._identity, offsets, identity, complete, self._options.accept_gap)
        self._assign()
        begins, ends = self._consumer.extent()
        known = known.without(self._items.start(known.offsets, at_end))
        for place in self._places:
            if (first := known.first(place, begins[place])) < begins[place]:
                self._gap(place, first, begins[place])
                first = begins[place]
            self._positions.start(place, first, max(first, ends[place]), empty=ends[place] <= begins[place])
        self._consumer.seek(self._positions.all())
        self._consumer.seek_to_end(self.canaries)
        self._watch = TopicWatch(self._config, self._topics, self._options.watch_seconds)
        self._commits = Commits(self._config)
        return self._positions.next({})

    def _take_up_topics(self) -> None:
        """Handle what the last look at the topics saw, if there is a new one.

        Added partitions are read from their beginning. Raises Stop (exit 4) for a topic that was created again.
        """
        seen = self._watch.latest() if self._watch is not None else None
        if seen is None:
            return
        stop_if_made_anew(self._identity, seen.ids)
        gone = {topic for topic in self._topics if f"topic:{topic}" in self._identity}
        self._trouble.miss(gone - set(seen.ids) - seen.hidden)
        self._trouble.deny(seen.hidden | seen.unreadable)
        if not (new := sorted(self._options.ownership.of(seen.places) - self._places)):
            return
        log.info("partitions were added", partitions=[f"{topic}:{number}" for topic, number in new])
        for place in new:
            self._identity.setdefault(f"topic:{place[0]}", seen.ids[place[0]])
            self._positions.start(place, 0, 0)
        self._places.update(new)
        self._assign()
        self._consumer.seek(dict.fromkeys(new, 0))

    def problem(self) -> str | None:
        return self._trouble.problem()

    def silent_seconds(self) -> float:
        return self._trouble.seconds()

    def items_read(self) -> bool:
        return not self._reading_items and not self._items.anew_at_start

    def learned(self, offsets: Offsets) -> None:
        if not self._items.waits:
            return
        items = {place: self._positions.next_at(place, offsets) for place in self._items.of(self._places)}
        again = self._items.learned(items, self._positions.position)
        self._consumer.seek_to_beginning(again)
        for place in again:
            self._positions.start(place, 0, 0)

    def anew(self) -> Set[str]:
        return self._items.anew

    def at_end(self) -> Times:
        return self._items.at_end()

    def _gap(self, place: TopicPartition, first: int, earliest: int) -> None:
        if place[0] in self._items.anew:
            return  # records that a topic no longer holds when it is read anew are not lost
        if not self._options.accept_gap:
            raise gone(place, first, earliest)
        self._lost += earliest - first

    def poll(self, timeout: float) -> list[Record]:
        self._take_up_topics()
        if self._reading_items:
            return self._poll_items(timeout)
        busy, holding = False, len(self._merge) > 0
        if not holding or self._merge.starving(self._positions.behind()):  # else a record is at hand
            busy = self._fetch(0.0 if holding and not self._merge.waited_for else timeout)
        return self._merge.take(self._positions.behind(), self._options.poll_records, busy)

    def _poll_items(self, timeout: float) -> list[Record]:
        if not len(self._merge):
            self._fetch(timeout)
        records = self._merge.take(set(), self._options.poll_records)
        done = not records and self._positions.fetched_to_start_end(self._first.__contains__)
        self._reading_items = not done
        return records

    def _fetch(self, timeout: float) -> bool:
        """Take in the records that the consumer has. Return whether there were many."""
        busy = (taken := self._take_in(timeout)) >= CHUNK_RECORDS
        if taken and not busy and (seconds := self._consumer.newer_in()):
            taken = self._take_in(seconds)
        while taken >= CHUNK_RECORDS:
            taken = self._take_in(0.0)
        return busy

    def _take_in(self, timeout: float) -> int:
        """Take in one chunk. Return its number of records."""
        self._choose()
        try:
            return self._note(self._consumer.poll(timeout))
        except KafkaError as error:
            self._refused(error)
            return 0

    def _refused(self, error: KafkaError) -> None:
        """Handle an error of `poll`; return if reading goes on at once. Raises Unavailable or Stop; see `on_poll`."""
        behaviour = on_poll(error)
        if behaviour == "gap":
            try:
                self._gone_on(error)
            except KafkaError as second:
                raise Unavailable(why_unreachable(self._config, second)) from second
        elif behaviour == "no_right":
            self._no_right(denied_topics(error))
        elif behaviour == "no_codec":
            raise Stop(advice(self._config, self._positions.all(), error)) from error
        elif behaviour == "retry":
            raise Unavailable(self._trouble.lose(why_unreachable(self._config, error))) from error
        else:
            raise Stop(f"Kafka: {type(error).__name__}: {error}", STATE_UNUSABLE) from error

    def _note(self, polled: dict[TopicPartition, list[Record]]) -> int:
        positions, told = self._positions, self._consumer.take_ends()
        for place, records in polled.items():
            self._merge.add(place, records)
            if place in self._places:
                positions.took(place, records[-1].offset + 1)
        for place in told.keys() & self._places:
            positions.ends_at(place, told[place])
            self._items.ends_at(place, told[place])
        for place in positions.behind() - polled.keys():
            positions.skipped(place, self._consumer.position(place))
        if told:
            self._trouble.answered({topic for topic, _ in told})
        if self._trouble.look_due():
            self._items.nothing_new(
                self._consumer.answering(self._trouble.looked) & self._places, positions.end
            )
            self._trouble.look(self._consumer.unanswered)
            self._end_silence()
        return sum(map(len, polled.values()))

    def _end_silence(self) -> None:
        """Ask which broker leads silent partitions now. Connect again after a refusal: a password may have changed."""
        if not self._trouble.silent():
            return
        self._consumer.ask_for_leaders()
        if (refusal := latest_refusal(self._config, REFUSED_SECONDS)) is None:
            return
        self._trouble.lose(refusal)
        with contextlib.suppress(KafkaError, OSError, ValueError):
            self._consumer.connect_again(self._positions.all())
            self._chosen = object()

    def _choose(self) -> None:
        """Let the consumer fetch all partitions except refused ones and those that hold enough records."""
        everything = self._places | self.canaries
        full, refused = self._merge.full(len(everything)), self._trouble.wait() | self._items.late
        chosen = (full, refused, self._reading_items, len(everything))
        if chosen == self._chosen:
            return
        self._chosen = chosen
        open_ = {place for place in everything - full if place[0] not in refused}
        early = self._first if self._reading_items else {place[0] for place in open_}
        self._consumer.fetch_only({place for place in open_ if place[0] in early})

    def _no_right(self, denied: set[str]) -> None:
        """Go on without a topic that may not be read, and ask for it again from time to time."""
        if canaries := {topic for topic, _ in self.canaries} & denied:
            log.warning("may not read canaries; the service runs without them", topics=sorted(canaries))
            self.canaries = set()
            self._assign()
        self._trouble.deny(denied - canaries)

    def _gone_on(self, error: KafkaError) -> None:
        """Go on after a gap in the log. Raises Stop (exit 4) without --accept-gap, and KafkaError."""
        places = misplaced(error)
        if places and places.keys() <= self.canaries:  # old canaries are not needed
            self._consumer.seek_to_end(places)
            return
        with KafkaAdminClient(**client_options(self._config)) as admin:
            stop_if_made_anew(self._identity, describe(admin, self._topics).ids)
        begins, at = self._consumer.begins(), self._positions.position
        jumps = {p: begins[p] for p in self._places if at(p) < begins[p]}
        if not jumps:
            if not self._options.accept_gap:
                raise truncated({place: at(place) for place in places}) from error
            jumps = {place: begins[place] if end is None else end for place, end in places.items()}
        for place, earliest in jumps.items():
            self._gap(place, min(at(place), earliest), earliest)
            self._positions.jump(place, earliest)
        self._consumer.seek(jumps)

    def commit(self, offsets: Offsets) -> None:
        if self._commits is not None:
            there = {p for p in self._places if p[0] not in self._trouble.missing}
            self._commits.hand_over({place: offset for place, offset in offsets.items() if place in there})

    def identity(self) -> dict[str, str]:
        return dict(self._identity)

    def next_offsets(self, offsets: Offsets) -> Offsets:
        return self._positions.next(offsets)

    def lag(self, offsets: Offsets) -> dict[TopicPartition, int]:
        return self._positions.lag(offsets)

    def behind(self) -> bool:
        return len(self._merge) > 0 or bool(self._positions.behind())

    def waiting(self) -> list[Record]:
        return [head for head in self._merge.heads() if (head.topic, head.partition) in self._places]

    def reached_start_end(self, offsets: Offsets) -> bool:
        return not self._reading_items and self._positions.reached_start_end(offsets)

    def lost(self) -> int:
        return self._lost

    def close(self) -> None:
        if self._watch is not None and self._commits is not None:  # they begin together
            self._watch.close()
            self._commits.close()
        self._consumer.close()
