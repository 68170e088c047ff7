"""Run the loop's body: take events from the log to the store, stage by stage."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog

from consumers.config.schema import Settings
from consumers.dead_letters.sink import Limits
from consumers.erasure.eraser import Forgetting
from consumers.events.decode import FUTURE_LIMIT_MS
from consumers.events.deduplication import DedupWindow
from consumers.events.record import Offsets
from consumers.formats.topic_reader import decoder_of
from consumers.service.parts import Parts
from consumers.service.saving.saved_state import check_owner, misfit, of_domains
from consumers.service.stages.intake_stage import IntakeParts, IntakeStage
from consumers.service.stages.learning_stage import LearningParts, LearningStage
from consumers.service.stages.microbatch import Batch
from consumers.service.stages.network_pace import NetworkPace
from consumers.service.stages.publish_stage import PublishParts, PublishStage
from consumers.service.stages.save_stage import SaveStage
from consumers.service.telemetry import Reporter
from consumers.service.text_encoding import restore
from models.state.given_state import given_away
from models.state.tracked_tables import Checkpointed
from serving.store.store_mark import UNKNOWN, Known, as_known

log = structlog.get_logger()

REPORT_SECONDS = 2.0


class Pipeline(Checkpointed):
    """The loop's body. It is given everything it uses; one thread calls it.

    `offsets` holds, for each partition, the next record to learn; `totals` counts since the start. Other threads may
    read `reporter.lag`, and `caught_up`: whether all is learned that was in the log at the start.
    """

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.settings, self.metrics, self.clock = settings, parts.metrics, parts.clock
        self.source, self.sink, self.arms = parts.source, parts.sink, parts.arms
        self.encoding, self.queue = parts.encoding, parts.queue
        self.publisher, self.checkpointer, self.canaries = parts.publisher, parts.checkpointer, parts.canaries
        self._wall_clock, self.sharing = parts.wall_clock, parts.sharing
        self.offsets: Offsets = {}
        self.totals: Counter[str] = Counter()
        self.caught_up = False
        self.log_problem: str | None = None
        self.ids = settings.privacy.ids()
        self.dedup = DedupWindow(settings.intake.dedup_events)
        self.forgetting = Forgetting(
            self.ids.mark, self.arms, self.queue, self.dedup, self.publisher, parts.clock
        )
        self.limits = Limits(settings.intake.max_invalid_ratio, settings.intake.max_consecutive_invalid)
        self.learned_limits = Limits(1.0, 0)
        """The windows of `limits` at `offsets`: after a restart, records that are read again are judged as before."""
        self.reporter = Reporter(settings, self.metrics, self.arms, self.source)
        self._pace = NetworkPace(settings.intake, self.clock)
        self._make_stages()
        self._reported_at = self.clock()

    def _make_stages(self) -> None:
        settings, metrics, clock = self.settings, self.metrics, self.clock
        decoder = decoder_of(settings, self._wall_clock)
        intake = IntakeParts(
            self.source, self.sink, decoder, self.limits, metrics, self._blocked, self._publish_in,
            None if self.sharing is None else self.sharing.reroute,
        )  # fmt: skip
        self.intake = IntakeStage(settings, intake, clock)
        self.batcher = self.intake.batcher
        learned = LearningParts(
            self.arms, self.encoding, self.queue, self.forgetting, self.dedup, self.learned_limits,
            self.reporter, metrics, self.canaries, self._users_forgotten, self.sharing,
        )  # fmt: skip
        self.learning = LearningStage(settings, learned, self.totals)
        self.publishing: PublishStage | None = None
        if self.publisher is not None:
            published = PublishParts(
                self.arms, self.queue, self.publisher, self.forgetting, metrics, self.canaries
            )
            self.publishing = PublishStage(settings, published, clock)
        self.saving = SaveStage(settings, self.source, self.sink, self.checkpointer, metrics, self.sharing)

    def step(self, stopping: Callable[[], bool] = lambda: False) -> None:
        """Take one turn: send the records that are there through the stages."""
        self._note_learned()
        self.intake.take_in()  # 1 poll, 2 decode and validate
        self.log_problem = self.source.problem()
        batches = 0
        while (batch := self.intake.batch()) is not None:  # 3 micro-batch
            batches += 1
            self._learn(batch)  # 4 score, 5 learn, 6 adapt
            self._share()  # 8 share
            self._publish_if_due()  # 7 publish
            self._report_if_due()  # a poll may hold many batches, and lag must be shown between them
            if stopping():
                break
        self._share()  # 8 share
        self._network_step_if_due()  # 5 learn: events that wait for the network, if no batch came
        if not batches:
            self._take_texts()  # 5 learn: they may be encoded after the last batch
            self._publish_if_due()  # 7 publish
        self.saving.save_if_due(self.totals["learned"], self.live, self._next_offsets)  # 9 checkpoint, commit
        self._report_if_due()
        self.caught_up = self.caught_up or self.source.reached_start_end(self.offsets)

    def _blocked(self) -> bool:
        """Return whether reading must pause: store or dead letters are too far behind, or nothing can be saved."""
        backlog = self.publisher.backlog() if self.publisher else 0
        unsaved = self.checkpointer is not None and self.checkpointer.problem is not None
        alone = self.sharing is not None and self.sharing.blocked()
        return backlog >= self.settings.publish.max_backlog or unsaved or self.sink.full() or alone

    def _learn(self, batch: Batch) -> None:
        begun = time.perf_counter()
        with self.metrics.stage_seconds.labels("learn").time():
            step = self._pace.due(self.arms.full.waiting)
            self.learning.learn(batch, step)
            if step:
                self._pace.stepped()
            self._take_texts()
        self.offsets.update(batch.offsets)
        self._note_learned()
        seconds = time.perf_counter() - begun
        if self.publishing is not None:
            # If no record waits behind it, an old record is not late: it may come from an archive.
            late = batch.age(self._wall_clock()) if self.source.behind() else 0.0
            self.publishing.budget.learned(len(batch.entries), seconds, late)
        log.debug("batch learned", records=len(batch.entries), seconds=round(seconds, 4))

    def _take_texts(self) -> None:
        vectors, idle = self.encoding.drain()
        idle = idle and self.source.items_read()
        self.arms.put_text_vectors(vectors, idle, beside=self.encoding.beside)

    def _note_learned(self) -> None:
        """Tell the log what is learned, and handle topics of items that are read anew."""
        self.source.learned(self.offsets)
        anew = self.source.anew()
        if begun := self.learning.read_anew.begin(anew):
            self.offsets = {place: n for place, n in self.offsets.items() if place[0] not in begun}
        self.learning.remove_what_is_gone(anew)

    def _users_forgotten(self) -> None:
        if self.checkpointer is not None:
            self.checkpointer.purge_older()

    def _network_step_if_due(self) -> None:
        # The process that trains for all shards has no batches beside which to take a step.
        due = self._pace.overdue if self.sharing is None else self._pace.due
        if due(self.arms.full.waiting):
            with self.metrics.stage_seconds.labels("network").time():
                self.arms.end_batch()
            self._pace.stepped()

    def _share(self) -> None:
        """Send what is due to the other processes, and take in what they share. Raises Stop (exit 4)."""
        if self.sharing is not None:
            self.reporter.tell(self.sharing.step())

    def _publish_in(self) -> float:
        if self.sharing is not None and self.sharing.waits():
            return 0.0
        if self.publishing is not None and self.source.items_read():
            return self.publishing.due_in()
        return self.settings.publish.interval_ms / 1000

    def _publish_if_due(self) -> None:
        # Before the item topics are read, a removed item could still be on a list.
        if self.sharing is not None and self.sharing.silent():
            return
        if self.publishing is not None and self.source.items_read():
            self.publishing.publish_if_due(len(self.batcher), self.batcher.wait())

    def restore(self) -> None:
        """Load the newest checkpoint, or start at the log's beginning. Raises Stop (exit 4)."""
        state = self.checkpointer.load() if self.checkpointer else None
        if state is None:
            self.offsets = self.source.start({}, {})
            self._begin(None)
            return
        try:
            with given_away():
                notes = self.load(state)
        except (KeyError, ValueError, TypeError) as error:
            raise misfit(error) from error
        for note in notes:
            log.warning("this start differs from the checkpoint", what=note)
        complete = state.get("complete_offsets", False)
        at_end = {(topic, partition): when for topic, partition, when in state.get("at_end", [])}
        self.offsets = self.source.start(self.offsets, state["identity"], complete, at_end)
        if self.checkpointer is not None and not self.arms.moved:
            self.checkpointer.mark_clean(self.live(), state)
        self._end_future()
        self._begin(as_known(state["store"]), state.get("rescaled", False))

    def _end_future(self) -> None:
        """Move future times of the state to the present: early versions did not check times."""
        now = self._wall_clock() + FUTURE_LIMIT_MS / 1000
        if self.arms.end_future(now):
            log.warning("the checkpoint held future event times; they count as the present")
        self.forgetting.forgotten.end_future(int(1000 * now))

    def _begin(self, known: Known | None, rescaled: bool = False) -> None:
        if self.sharing is not None:
            self.sharing.start()
        if self.publisher is not None and self.publishing is not None:
            self.publishing.store_unknown = rescaled or known == UNKNOWN
            self.publisher.start(known)

    def finish(self, timeout: float = 5.0) -> bool:
        """Publish, save and commit once the batch is done. Return whether the store took everything in time.

        A shard that another process has taken over does nothing, and one that may have been publishes nothing.
        """
        if self.sharing is not None and self.sharing.fenced:
            return False
        silent = self.sharing is not None and self.sharing.silent()
        done = not silent
        if self.publishing is not None and self.publisher is not None and not silent:
            if self.source.items_read():
                self.publishing.publish(budget=timeout)
            done = self.publisher.flush(timeout)
        self.saving.finish(self.totals["learned"], self.live, self._next_offsets, timeout)
        return done

    def _next_offsets(self) -> Offsets:
        """Return the offset of the first record of each partition that is not learned."""
        return self.source.next_offsets(self.offsets)

    def live(self) -> dict[str, Any]:
        """Return the whole state that later events depend on, and the offset of the first record not learned."""
        unconfirmed = self.publisher.unconfirmed() if self.publisher else []
        offsets = self._next_offsets()
        return {
            "arms": self.arms.live(),
            "outbox": self.queue.live(unconfirmed),
            "dedup": self.dedup.live(),
            "limits": self.learned_limits.state(),
            "forgotten": self.forgetting.forgotten.state(),
            "marks": self.forgetting.index.live(),
            "privacy": self.ids.fingerprint,
            "encoding": [[*key, text] for key, text in self.encoding.pending().items()],
            "offsets": [[*place, offset] for place, offset in sorted(offsets.items())],
            "complete_offsets": True,
            "at_end": [[*place, when] for place, when in sorted(self.source.at_end().items())],
            "identity": self.source.identity(),
            "store": self._store(),
            "text_encoder": self.settings.text_encoder.identity,
        } | ({} if self.sharing is None else {"shards": self.sharing.live()})

    def _store(self) -> Known | None:
        """Return how the store is recognised at the next start. While it lacks something, it must not be recognised."""
        if self.queue.again.active:
            return UNKNOWN
        return self.publisher.known_store() if self.publisher else None

    def load(self, state: dict[str, Any]) -> list[str]:
        """Load a state. Return a sentence for each difference to it.

        Raises ValueError if the state was made with another text encoder or none of the domains.
        """
        check_owner(state, self.settings)
        state = of_domains(state, self.settings.domains)
        notes = self.arms.load(state["arms"])
        self.encoding.expect(self.arms.full.intake.projection.width)
        self.queue.load(state["outbox"])
        self.dedup.load(state["dedup"])
        for limits in (self.limits, self.learned_limits):
            limits.load(state["limits"])
        self.forgetting.forgotten.load(state["forgotten"])
        self.forgetting.index.load(state.get("marks", {}))
        if as_known(state["store"]) == UNKNOWN:
            self.queue.publish_again()
        if self.sharing is not None:
            self.sharing.load(state["shards"])
        restore(self.encoding, state["encoding"])
        self.offsets = {(topic, partition): offset for topic, partition, offset in state["offsets"]}
        return notes

    def _report_if_due(self) -> None:
        if self.clock() - self._reported_at >= REPORT_SECONDS:
            self._reported_at = self.clock()
            self.report()

    def report(self) -> None:
        """Copy slowly changing values into the gauges."""
        self.reporter.report(self.offsets, self.intake.records())
        self.totals["lost"] = self.reporter.lost
        unacknowledged = self.publisher.backlog() if self.publisher else 0
        self.metrics.publish_backlog.set(self.queue.backlog() + unacknowledged)
