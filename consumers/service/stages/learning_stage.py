"""Run the learning stage: learn, put or erase for each decoded record of a batch, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Set
from typing import NamedTuple

import structlog

from consumers.config.schema import Settings
from consumers.dead_letters.sink import Limits
from consumers.erasure.eraser import Forgetting
from consumers.events.decode import Forget, Skipped
from consumers.events.deduplication import DedupWindow
from consumers.events.record import Record
from consumers.events.rejection import Rejection
from consumers.service.canary import Canaries, Canary
from consumers.service.items_read_anew import ItemsReadAnew
from consumers.service.stages.first_records import FirstRecords
from consumers.service.stages.listed_events import ListedEvents
from consumers.service.stages.microbatch import LIVE_EVENTS, Batch
from consumers.service.stages.shown_stage import ShownStage
from consumers.service.telemetry import Reporter
from consumers.service.text_encoding import Encoding
from consumers.sharing.exchange import Exchange, place_of
from consumers.sharing.reroute import Rerouted
from models.arms.arm_comparison import ArmComparison
from models.schema import Impression, Interaction, Item
from serving.metrics import Metrics
from serving.publication.publication_queue import PublicationQueue

log = structlog.get_logger()

BUSY_EVENTS, BACKLOG_EVENTS = 64, 256
"""Most events that are scored together: of a batch of 64 records or more, and while a backlog is read.

Items do not change while events are scored. More events together are faster, and a little less precise.
"""


WRONG_KEY = "the key of a record is not its user: later ones are counted only (key_mismatches_total)"
WRONG_ITEM_KEY = "the key of a record is not its item: later ones are counted only (key_mismatches_total)"
UNKNOWN_IMPRESSION = (
    "an event names an unknown impression: later ones are counted only (impression_clicks_total)"
)


class LearningParts(NamedTuple):
    """What the learning stage works with. forgotten: is called after a request to forget was carried out."""

    arms: ArmComparison
    encoding: Encoding
    queue: PublicationQueue
    forgetting: Forgetting
    dedup: DedupWindow
    limits: Limits
    reporter: Reporter
    metrics: Metrics
    canaries: Canaries | None
    forgotten: Callable[[], None]
    sharing: Exchange | None = None
    """None if there is one shard only."""


class LearningStage:
    """Learns the events of a batch, puts its items, and erases users of its requests. One thread calls it.

    Interactions that follow each other are learned together. They are learned before any other record is handled.
    """

    def __init__(self, settings: Settings, parts: LearningParts, totals: Counter[str]) -> None:
        """totals: counts since the start; this stage adds to them."""
        self.parts, self.totals = parts, totals
        self._ids = settings.privacy.ids()
        self._full_batch = settings.intake.batch_events
        self._waiting: list[tuple[Record, Interaction]] = []
        self._step = False
        self._other_keys = {topic for topic, _, how in settings.topic_formats() if not how.is_contract}
        """Topics whose keys may be records. Such keys say nothing about the order of a user's events."""
        self.read_anew = ItemsReadAnew()
        self._first = FirstRecords()
        self._shown = ShownStage(parts.arms.full, parts.metrics)
        self._listed = ListedEvents(parts.arms.full, parts.queue.index, parts.metrics)
        self._domain_of = {topic: domain for topic, (domain, _) in settings.topics().items()}

    def learn(self, batch: Batch, step: bool = False) -> None:
        """Learn a batch. step: take a network step on the earlier events, beside its interactions if it has any."""
        self._step, count = step, len(batch.entries)
        busy = BUSY_EVENTS if count >= BUSY_EVENTS else LIVE_EVENTS
        together = BACKLOG_EVENTS if count >= self._full_batch else busy
        for record, event in batch.entries:
            self.parts.limits.add(record, isinstance(event, Rejection))
            if isinstance(event, Interaction):
                if self._is_new(record, event):
                    if self._shown.answer(event, place_of(record)) == "missing":
                        self._first.tell(UNKNOWN_IMPRESSION, record)
                    self._listed.count(event)
                    self._waiting.append((record, event))
                    if len(self._waiting) >= together:
                        self._flush()
            elif isinstance(event, Impression):
                self._impression(record, event)
            else:
                self._flush()
                self._not_interaction(record, event)
        self._flush()
        self._forget()
        if self._step:
            self.parts.arms.end_batch()
        self._shown.tell()
        self._listed.tell()

    def _not_interaction(
        self, record: Record, event: Item | Canary | Forget | Skipped | Rejection | Rerouted
    ) -> None:
        if isinstance(event, Item):
            self._item(record, event)
        elif isinstance(event, Canary):
            if self.parts.canaries is not None:
                self.parts.canaries.learned(event)
        elif isinstance(event, Forget):
            self.totals["forget_requests"] += 1
            self.parts.forgetting.take(event)
        elif isinstance(event, Skipped):
            self.totals["deleted_rows"] += 1
            self.parts.metrics.deleted_rows.labels(event.domain).inc()
        elif isinstance(event, Rerouted):
            self.totals["rerouted"] += 1
        else:
            self._rejected(record, event)

    def _rejected(self, record: Record, rejection: Rejection) -> None:
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        self.read_anew.rejected(record)
        log.warning("dead letter", domain=rejection.domain, reason=rejection.reason, **where)
        self.totals["dead_letters"] += 1
        self.parts.metrics.dead_letters.labels(rejection.domain, rejection.reason).inc()
        self.parts.metrics.dead_letter_last.labels(rejection.domain).set_to_current_time()

    def _impression(self, record: Record, shown: Impression) -> None:
        """Take an impression in. It waits for no event, because events are matched when they come."""
        self.totals["impressions"] += 1
        if self._of_forgotten(record, shown):
            self.totals["forgotten_impressions"] += 1
        elif self._repeated(record, shown, f"{shown.domain}/shown"):
            self.totals["repeated_impressions"] += 1
            self._shown.duplicate(shown)
        else:
            self._count_mismatch(record, shown)
            self._shown.take(shown, place_of(record))

    def _of_forgotten(self, record: Record, event: Interaction | Impression) -> bool:
        """Return whether the event's user was forgotten since; if so, count it."""
        forgetting = self.parts.forgetting
        if forgetting.waiting:
            self._flush()
            self._forget()
        if forgetting.drops(event.user, event.timestamp, record.timestamp):
            self.parts.metrics.forgotten.labels(event.domain).inc()
            return True
        return False

    def _repeated(self, record: Record, event: Interaction | Impression, among: str) -> bool:
        """Return whether the event came before. among: the name of those with which it shares its event_ids."""
        reroute = None if self.parts.sharing is None else self.parts.sharing.reroute
        again = reroute is not None and reroute.repeated(record)
        return again or self.parts.dedup.repeated(among, event.event_id, event.user)

    def _is_new(self, record: Record, event: Interaction) -> bool:
        """Return whether to learn the event: its user was not forgotten since, and its event_id is new."""
        parts = self.parts
        self.totals["interactions"] += 1
        if self._of_forgotten(record, event):
            self.totals["forgotten"] += 1
            return False
        if self._repeated(record, event, event.domain):
            self.totals["duplicates"] += 1
            parts.metrics.duplicates.labels(event.domain).inc()
            where = {"partition": record.partition, "offset": record.offset}
            log.debug("duplicate", domain=event.domain, user=event.user, event_id=event.event_id, **where)
            return False
        self._count_mismatch(record, event)
        return True

    def _count_mismatch(self, record: Record, event: Interaction | Impression) -> None:
        """Count a record whose key is not its user."""
        if record.key == event.user.encode() or self._is_record(record):
            return
        try:
            owner = None if record.key is None else self._ids.inside(record.key.decode())
        except UnicodeDecodeError:
            owner = None
        if owner != event.user:
            self._first.tell(WRONG_KEY, record)
            self.parts.metrics.key_mismatches.inc()

    def _is_record(self, record: Record) -> bool:
        """Return whether the key holds fields or begins with a schema's id, like the keys of Debezium."""
        return record.topic in self._other_keys and (record.key or b"")[:1] in (b"{", b"\0")

    def _flush(self) -> None:
        """Learn the interactions that wait."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        events = [event for _, event in waiting]
        if self.parts.sharing is None:
            step, self._step = self._step, False
            self.parts.reporter.tell(self.parts.arms.learn(events, step=step))
        else:
            self.parts.reporter.tell(self.parts.sharing.learn(waiting))
        self.totals["learned"] += len(events)
        for (domain, kind), count in Counter(
            (event.domain, event.own_type or event.kind) for event in events
        ).items():
            self.parts.metrics.events.labels(domain, kind).inc(count)
        for record, event in waiting:
            self.parts.queue.event(event.user, event.domain, event.item, record.timestamp)

    def _forget(self) -> None:
        """Carry out the pending requests, before any later record of their users."""
        if self.parts.forgetting.waiting:
            self.parts.forgetting.erase()
            self.parts.forgotten()

    def _item(self, record: Record, item: Item) -> None:
        self.totals["items"] += 1
        if record.key != item.item_id.encode() and not self._is_record(record):
            self._first.tell(WRONG_ITEM_KEY, record)
            self.parts.metrics.key_mismatches.inc()
        self.read_anew.item(record.topic, item.item_id)
        self._put(item)

    def remove_what_is_gone(self, anew: Set[str]) -> None:
        """Remove items that a topic did not hold when it was read anew to its end, as their tombstones would do.

        anew: the topics that are still being read anew.
        """
        for topic, held in self.read_anew.end(anew):
            domain = self._domain_of[topic]
            gone = [item for item in self.parts.arms.items_of_stream(domain) if item not in held]
            for item in gone:
                self._put(Item(domain, item, removed=True, available=False))
            log.info("a topic of items was read anew", topic=topic, items=len(held), removed=len(gone))

    def _put(self, item: Item) -> None:
        needed = self.parts.arms.put_item(item, streamed=True)
        # Without a text, cancel the pending one: the item no longer has those words.
        self.parts.encoding.submit((item.domain, item.item_id), item.words() if needed else "")
        self.parts.queue.item(item.domain, item.item_id, item.removed, item.available)
