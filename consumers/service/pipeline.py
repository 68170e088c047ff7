"""The loop's body: poll, decode, score, learn, publish, checkpoint, commit."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import structlog

from consumers.config.schema import Settings
from consumers.dead_letters.sink import Limits, Sink, dead_letter
from consumers.erasure.eraser import Forgetting
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.decode import FUTURE_LIMIT_MS, Decoder
from consumers.events.deduplication import DedupWindow
from consumers.events.record import Offsets, Record
from consumers.events.rejection import Rejection
from consumers.service.canary import Canaries, canary
from consumers.service.checkpoint_writer import Checkpointer
from consumers.service.learning_stage import Learned, LearningStage
from consumers.service.list_budget import ListBudget
from consumers.service.microbatch import Batch, Batcher
from consumers.service.saved_state import check_owner, of_domains
from consumers.service.telemetry import Reporter
from consumers.service.text_encoding import Encoding, restore
from consumers.source.protocol import Source, Unavailable
from models.arm_comparison import Arms
from models.state.tracked_tables import Live
from serving.metrics import Metrics
from serving.publication.publication_queue import Outbox
from serving.store.redis_writer import Publisher
from serving.store.store_mark import UNKNOWN, Known, as_known

log = structlog.get_logger()

REPORT_SECONDS = 2.0
HAND_OVER = 64


class Pipeline(Live):
    """The loop's body. Everything it uses is handed in; one thread calls it.

    `offsets` holds, for each place, the next record to learn; `totals` counts since the start. Other threads may read
    `caught_up`, whether all is learned that was in the log at the start, and `reporter.lag`.
    """

    def __init__(
        self,
        settings: Settings,
        source: Source,
        sink: Sink,
        arms: Arms,
        encoding: Encoding,
        outbox: Outbox,
        publisher: Publisher | None,
        checkpointer: Checkpointer | None,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        canaries: Canaries | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.source = source
        self.sink = sink
        self.arms = arms
        self.encoding = encoding
        self.outbox = outbox
        self.publisher = publisher
        self.checkpointer = checkpointer
        self.metrics = metrics
        self.clock = clock
        self.canaries = canaries
        self.offsets: Offsets = {}
        self.totals: Counter[str] = Counter()
        self.caught_up = False
        self.ids = settings.privacy.ids()
        self.decoder = Decoder(
            settings.topics(), settings.domain_list(), settings.intake.max_record_bytes, self.ids, wall_clock
        )
        self._wall_clock = wall_clock
        self.batcher = Batcher(settings.intake.batch_events, settings.intake.batch_ms / 1000, clock)
        self.dedup = DedupWindow(settings.intake.dedup_events)
        self.forgetting = Forgetting(self.ids.mark, arms, outbox, self.dedup, publisher, clock)
        self.limits = Limits(settings.intake.max_invalid_ratio, settings.intake.max_consecutive_invalid)
        self.learned_limits = Limits(1.0, 0)
        """The same windows as of `offsets`: a restart judges what is read again as before."""
        self.reporter = Reporter(settings, metrics, arms, source)
        learned = Learned(
            arms, encoding, outbox, self.forgetting, self.dedup, self.learned_limits, self.reporter, metrics,
            canaries, self._users_forgotten,
        )  # fmt: skip
        self.learning = LearningStage(settings, learned, self.totals)
        self._backoff = 0.0
        self._published_at = self._reported_at = self._network_since = clock()
        self.list_budget = ListBudget(settings.publish.interval_ms / 1000, settings.intake.batch_events)
        self._saved = 0
        """Of `totals["learned"]`, when the last checkpoint was taken."""

    def step(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """One turn: reads what is there, learns it in micro-batches, publishes and saves what is due."""
        for record in self._poll():
            self._decode(record)
        while (batch := self.batcher.take()) is not None:
            self._learn(batch)
            self._publish_if_due()
            self._report_if_due()  # a poll may hold many batches: lag must show meanwhile
            if stopping():
                break
        self._network_step_if_due()
        self._publish_if_due()
        self._checkpoint_if_due()
        self._report_if_due()
        self.caught_up = self.caught_up or self.source.reached_start_end(self.offsets)

    def _timed(self, stage: str) -> AbstractContextManager[Any]:
        timer: AbstractContextManager[Any] = self.metrics.stage_seconds.labels(stage).time()
        return timer

    # 1 poll

    def _poll(self) -> list[Record]:
        if len(self.batcher) >= self.settings.intake.batch_events or self._paused():
            return []
        wait = min(self.batcher.wait(), self.settings.publish.interval_ms / 1000)
        try:
            with self._timed("poll"):
                records = self.source.poll(wait)
            self._backoff = 0.0
        except Unavailable as error:
            self._backoff = min(max(0.1, 2 * self._backoff), 5.0)
            log.warning("log unavailable, will poll again", error=str(error), seconds=self._backoff)
            time.sleep(self._backoff)
            return []
        return records

    def _paused(self) -> bool:
        """The store or the dead letters are so far behind that reading on would only grow memory, or nothing can be
        saved."""
        backlog = self.publisher.backlog() if self.publisher else 0
        unsaved = self.checkpointer is not None and self.checkpointer.problem is not None
        if backlog < self.settings.publish.max_backlog and not unsaved and not self.sink.full():
            return False
        time.sleep(0.05)
        return True

    # 2 decode and validate, 3 micro-batch

    def _decode(self, record: Record) -> None:
        if record.topic == self.settings.kafka.canary_topic:
            self.batcher.add(record, canary(record))
            return
        decoded = self.decoder.decode(record)
        if isinstance(decoded, Rejection):
            self.sink.send(dead_letter(record, decoded.reason, decoded.detail))
        self.batcher.add(record, decoded)
        self.limits.count(record, isinstance(decoded, Rejection))

    # 4 score, 5 learn

    def _learn(self, batch: Batch) -> None:
        begun = time.perf_counter()
        with self._timed("learn"):
            if not self.arms.full.waiting:
                self._network_since = self.clock()
            self.learning.learn(batch)
            vectors, idle = self.encoding.drain()
            self.arms.put_text_vectors(vectors, idle and self.source.items_read())
        self.offsets.update(batch.offsets)
        if self.arms.full.waiting >= self.settings.intake.network_events:
            self._network_step()
        seconds = time.perf_counter() - begun
        age = self._wall_clock() - batch.entries[-1][0].timestamp / 1000 if batch.entries else 0.0
        self.list_budget.learned(seconds, age)
        log.debug("batch learned", records=len(batch.entries), seconds=round(seconds, 4))

    def _users_forgotten(self) -> None:
        if self.checkpointer is not None:
            self.checkpointer.purge_older()

    def _network_step_if_due(self) -> None:
        waited = self.clock() - self._network_since
        if self.arms.full.waiting and waited >= self.settings.intake.network_ms / 1000:
            self._network_step()

    def _network_step(self) -> None:
        with self._timed("network"):
            self.arms.end_batch()

    # 7 publish

    def _publish_if_due(self) -> None:
        interval = self.settings.publish.interval_ms / 1000
        if not self.source.items_read():
            return  # a removed item could still be on a list
        if self.publisher is not None and self.clock() - self._published_at >= interval:
            self._publish(self.list_budget.take(len(self.batcher), self.outbox.overdue()))
            self.forgetting.sweep_if_due()

    def _publish(self, budget: float) -> None:
        """At most about `budget` seconds go into lists, so that publishing never starves learning."""
        assert self.publisher is not None
        self._publish_again_if_lost(self.publisher)
        full = self.arms.full
        self.outbox.items_evicted(full.evicted)
        for user in full.evicted_users:
            self.outbox.user_evicted(user)
        full.evicted, full.evicted_users = [], []
        end = time.perf_counter() + budget
        with self._timed("publish"):
            chunk = [] if self.canaries is None else self.canaries.writes()
            for write in self.outbox.collect(lambda: time.perf_counter() < end):
                chunk.append(write)
                if len(chunk) == HAND_OVER:  # the first are on their way while the rest are made
                    self.publisher.submit(chunk)
                    chunk = []
            self.publisher.submit(chunk)
        self._published_at = self.clock()

    def _publish_again_if_lost(self, publisher: Publisher) -> None:
        for mark, keys in publisher.acknowledged():
            self.outbox.again.acknowledged(mark, keys)
        since = publisher.take_loss()
        if since is not None:
            what = "what it may lack" if since else "everything"
            log.warning(f"the store does not hold all that it acknowledged; publishing {what} again")
            self.outbox.publish_again(since, publisher.store)
            self.forgetting.search_again()

    # 8 checkpoint, then commit

    def _checkpoint_if_due(self) -> None:
        if self.checkpointer is None:
            return
        self.checkpointer.poll()
        if self.checkpointer.due(self.totals["learned"] - self._saved):
            self._checkpoint()

    def _checkpoint(self, last: bool = False) -> None:
        """Taken now, written once the dead letters of what it covers are acknowledged."""
        assert self.checkpointer is not None
        self._saved = self.totals["learned"]
        with self._timed("checkpoint"):
            safe = partial(self.sink.wait, self.sink.sent)
            self.checkpointer.take(self.live(), self.source.next_offsets(self.offsets), safe, last)

    def committed(self, offsets: Offsets, seconds: float) -> None:
        """A checkpoint is on disk: lag tools may see its offsets; of requests to forget, those carried out on disk."""
        self.metrics.checkpoint_seconds.observe(seconds)
        topic, erased = self.settings.kafka.forget_topic, offsets
        if self.checkpointer is not None:
            erased = self.checkpointer.erased
        done = {place: n for place, n in offsets.items() if place[0] != topic}
        done |= {place: n for place, n in erased.items() if place[0] == topic}
        try:
            self.source.commit(done)
        except Unavailable as error:
            log.warning("offsets not committed to Kafka; the checkpoint holds them", error=str(error))

    # Start, end, state

    def restore(self) -> None:
        """Takes up the newest checkpoint, or starts at the log's beginning. Raises Stop (exit 4)."""
        state = self.checkpointer.load() if self.checkpointer else None
        if state is None:
            self.offsets = self.source.start({}, {})
            self._start_publisher(None)
            return
        try:
            notes = self.load(state)
        except (KeyError, ValueError, TypeError) as error:
            raise Stop(
                f"the checkpoint does not fit this config: {error}. Use the config it was made with, or another "
                "checkpoint.directory to learn again from the beginning of the log.",
                STATE_UNUSABLE,
            ) from error
        for note in notes:
            log.warning("this start differs from the checkpoint", what=note)
        complete = state.get("complete_offsets", False)
        self.offsets = self.source.start(self.offsets, state["identity"], complete)
        if self.checkpointer is not None and not self.arms.moved:
            self.checkpointer.settled(self.live(), state)
        self._end_future()
        self._start_publisher(as_known(state["store"]))

    def _end_future(self) -> None:
        """A state from before times were held against the clock may have stopped in a year to come."""
        now = self._wall_clock() + FUTURE_LIMIT_MS / 1000
        if self.arms.end_future(now):
            log.warning("the checkpoint held event times to come; they count as of now")
        self.forgetting.forgotten.end_future(int(1000 * now))

    def _start_publisher(self, known: Known | None) -> None:
        if self.publisher is not None:
            self.publisher.start(known)

    def finish(self, timeout: float = 5.0) -> bool:
        """The batch is done: publish, save, commit. False if the store did not take everything in time."""
        done = True
        if self.publisher is not None:
            if self.source.items_read():
                self._publish(budget=timeout)
            done = self.publisher.flush(timeout)
        if self.checkpointer is not None:
            if not self.sink.wait(self.sink.sent, timeout):
                log.warning(
                    "dead letters are not acknowledged: what came since the last checkpoint is read again"
                )
                self.sink.close()  # a checkpoint that waits for them is given up
            self.checkpointer.poll(wait=True)
            self._checkpoint(last=True)
            self.checkpointer.finish()
        return done

    def live(self) -> dict[str, Any]:
        """Everything that a later event can read, and the offset of the first record not learned."""
        unconfirmed = self.publisher.unconfirmed() if self.publisher else []
        offsets = self.source.next_offsets(self.offsets)
        return {
            "arms": self.arms.live(),
            "outbox": self.outbox.live(unconfirmed),
            "dedup": self.dedup.live(),
            "limits": self.learned_limits.state(),
            "forgotten": self.forgetting.forgotten.state(),
            "marks": self.forgetting.index.live(),
            "privacy": self.ids.fingerprint,
            "encoding": [[*key, text] for key, text in self.encoding.pending().items()],
            "offsets": [[*place, offset] for place, offset in sorted(offsets.items())],
            "complete_offsets": True,
            "identity": self.source.identity(),
            "store": self._store(),
            "text_encoder": self.settings.text_encoder.model,
        }

    def _store(self) -> Known | None:
        """By what the store is known at the next start; not at all while it is still to be given something again."""
        if self.outbox.again.active:
            return UNKNOWN
        return self.publisher.known_store() if self.publisher else None

    def load(self, state: dict[str, Any]) -> list[str]:
        """Gives what is not as it was, a sentence each.

        Raises ValueError if the state was made with another text encoder or none of the domains.
        """
        check_owner(state, self.settings)
        state = of_domains(state, self.settings.domains)
        notes = self.arms.load(state["arms"])
        self.outbox.load(state["outbox"])
        self.dedup.load(state["dedup"])
        for limits in (self.limits, self.learned_limits):
            limits.load(state["limits"])
        self.forgetting.forgotten.load(state["forgotten"])
        self.forgetting.index.load(state.get("marks", {}))
        if as_known(state["store"]) == UNKNOWN:
            self.outbox.publish_again()
        restore(self.encoding, state["encoding"])
        self.offsets = {(topic, partition): offset for topic, partition, offset in state["offsets"]}
        return notes

    # Metrics

    def _report_if_due(self) -> None:
        if self.clock() - self._reported_at >= REPORT_SECONDS:
            self._reported_at = self.clock()
            self.report()

    def report(self) -> None:
        """Copies what changes slowly into the gauges."""
        self.reporter.report(self.offsets, self.batcher.records())
        self.totals["lost"] = self.reporter.lost
        backlog = self.outbox.backlog() + (self.publisher.backlog() if self.publisher else 0)
        self.metrics.publish_backlog.set(backlog)
