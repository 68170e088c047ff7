"""Run the publishing stage: turn what learning has touched into writes, in rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import structlog

from consumers.config.schema import Settings
from consumers.erasure.eraser import Forgetting
from consumers.service.canary import Canaries
from consumers.service.stages.list_budget import ListBudget
from models.arms.arm_comparison import ArmComparison
from serving.contract import Write
from serving.metrics import Metrics
from serving.publication.publication_queue import PublicationQueue
from serving.store.publisher import Publisher

log = structlog.get_logger()

WHY = "it was made by pretrain, rescale or change-encoder, or while the store was being filled"
HAND_OVER = 64
"""Writes that are handed to the publisher together. The first are sent while the others are made."""


class PublishParts(NamedTuple):
    """What the publishing stage works with."""

    arms: ArmComparison
    queue: PublicationQueue
    publisher: Publisher
    forgetting: Forgetting
    metrics: Metrics
    canaries: Canaries | None


class PublishStage:
    """Hands writes to the publisher, every `publish.interval_ms` or, of a backlog, less often. One thread calls it."""

    def __init__(self, settings: Settings, parts: PublishParts, clock: Callable[[], float]) -> None:
        """clock: seconds."""
        self.parts = parts
        publish = settings.publish
        self.budget = ListBudget(settings.intake.batch_events, publish.lists_within_ms / 1000, clock)
        self._interval = settings.publish.interval_ms / 1000
        self._clock = clock
        self._published_at = clock()
        self.store_unknown = False
        """Whether the checkpoint does not tell what the store holds."""
        self._filling: float | None = None
        """Since when everything, or what the store may lack, is published again."""

    def due_in(self) -> float:
        """Return the seconds until a round may be due if no record comes: waiting lists are made in that time."""
        queue = self.parts.queue
        return 0.0 if queue.lists() and not self.budget.busy else self._interval

    def publish_if_due(self, waiting: int, spare: float) -> None:
        """Publish what was learned at once, while there is time for lists, and in any case once the interval is over.

        waiting: records that are not learned yet. spare: seconds until they are due.
        """
        queue = self.parts.queue
        idle = spare > 0 and queue.lists() > 0 and not self.budget.busy
        due = self._published_at + self.budget.interval(self._interval)
        if idle or self.budget.prompt or self._clock() >= due:
            queue.let_lists_wait(self.budget.patience)
            budget = self.budget.take(waiting, queue.overdue())
            self.publish(min(budget, spare) if waiting and spare > 0 else budget)
            self.parts.forgetting.sweep_if_due()

    def publish(self, budget: float) -> None:
        """Publish what is due. Lists take about `budget` seconds, so that learning goes on; none are made without."""
        self._publish_again_if_lost()
        full, queue = self.parts.arms.full, self.parts.queue
        queue.items_evicted(full.rows.evicted)
        for user in full.rows.evicted_users:
            queue.user_evicted(user)
        full.rows.forget_evictions()
        with self.parts.metrics.stage_seconds.labels("publish").time():
            if self.parts.canaries is not None:
                self.parts.publisher.submit(self.parts.canaries.writes())
            self._submit(queue.records())  # they do not wait for lists
            if budget > 0:
                begun = time.perf_counter()
                self._submit(queue.more(lambda: time.perf_counter() < begun + budget))
                self.budget.took(time.perf_counter() - begun)
        self._published_at = self._clock()
        self._tell_if_filled()

    def _submit(self, writes: Iterable[Write]) -> None:
        chunk: list[Write] = []
        for write in writes:
            chunk.append(write)
            if len(chunk) == HAND_OVER:
                self.parts.publisher.submit(chunk)
                chunk = []
        self.parts.publisher.submit(chunk)

    def _publish_again_if_lost(self) -> None:
        publisher, queue = self.parts.publisher, self.parts.queue
        for mark, keys in publisher.acknowledged():
            queue.again.acknowledged(mark, keys)
        since = publisher.take_loss()
        if since is not None:
            if self.store_unknown and not since:
                log.info(
                    "publishing everything again: the checkpoint does not tell what the store holds", why=WHY
                )
            else:
                what = "what it may lack" if since else "everything"
                log.warning(f"the store does not hold all that it acknowledged; publishing {what} again")
            self.store_unknown = False
            queue.publish_again(since, publisher.store)
            self.parts.forgetting.search_again()

    def _tell_if_filled(self) -> None:
        """Tell the log once all that was to be published again is in the store."""
        publisher, queue = self.parts.publisher, self.parts.queue
        if queue.again.active:
            self._filling = self._clock() if self._filling is None else self._filling
        elif self._filling is not None and not queue.backlog() and not publisher.backlog():
            log.info("the store is filled again", seconds=round(self._clock() - self._filling, 1))
            self._filling = None
