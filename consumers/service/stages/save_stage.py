"""Run the last stage: take a checkpoint, and commit once it is on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from consumers.config.schema import Settings
from consumers.dead_letters.sink import Sink
from consumers.events.record import Offsets
from consumers.service.saving.checkpointer import Checkpointer
from consumers.sharing.exchange import Exchange
from consumers.source.protocol import Source
from serving.metrics import Metrics

log = structlog.get_logger()


class SaveStage:
    """Saves the state when it is due. Without a checkpointer nothing is saved."""

    def __init__(
        self,
        settings: Settings,
        source: Source,
        sink: Sink,
        checkpointer: Checkpointer | None,
        metrics: Metrics,
        sharing: Exchange | None = None,
    ) -> None:
        self.checkpointer = checkpointer
        self._source, self._sink, self._metrics, self._sharing = source, sink, metrics, sharing
        self._forget_topic = settings.kafka.forget_topic
        self._saved = 0
        """Events learned when the last checkpoint was taken."""

    def save_if_due(
        self, learned: int, live: Callable[[], dict[str, Any]], offsets: Callable[[], Offsets]
    ) -> None:
        """Take a checkpoint if one is due. learned: events so far. live: the state. offsets: the next to learn."""
        if self.checkpointer is None:
            return
        self.checkpointer.poll()
        if self.checkpointer.due(learned - self._saved):
            self.save(learned, live(), offsets())

    def save(self, learned: int, live: dict[str, Any], offsets: Offsets, last: bool = False) -> None:
        """Take a checkpoint now. It is written once the dead letters and facts that it covers are acknowledged."""
        assert self.checkpointer is not None
        self._saved = learned
        with self._metrics.stage_seconds.labels("checkpoint").time():
            safe: Callable[[], bool] = partial(self._sink.wait, self._sink.sent)
            if self._sharing is not None:
                safe = self._sharing.marked(safe)
            self.checkpointer.take(live, offsets, safe, last)

    def committed(self, offsets: Offsets, seconds: float) -> None:
        """Commit the offsets of a checkpoint that is on disk, for lag tools.

        A request to forget is committed only when it is carried out on disk. seconds: how long the writing took.
        """
        self._metrics.checkpoint_seconds.observe(seconds)
        if self._sharing is not None:
            self._sharing.saved()
        erased = offsets if self.checkpointer is None else self.checkpointer.erased
        done = {place: n for place, n in offsets.items() if place[0] != self._forget_topic}
        done |= {place: n for place, n in erased.items() if place[0] == self._forget_topic}
        self._source.commit(done)

    def finish(
        self, learned: int, live: Callable[[], dict[str, Any]], offsets: Callable[[], Offsets], timeout: float
    ) -> None:
        """Take the last checkpoint and wait until it is on disk. timeout: seconds to wait for dead letters."""
        if self.checkpointer is None:
            return
        if self._sharing is not None and not self._sharing.settle(timeout):
            log.warning("facts are not acknowledged: what came since the last checkpoint is read again")
            self._sharing.close()  # give up a checkpoint that waits for them
        if not self._sink.wait(self._sink.sent, timeout):
            log.warning(
                "dead letters are not acknowledged: what came since the last checkpoint is read again"
            )
            self._sink.close()  # give up a checkpoint that waits for them
        self.checkpointer.poll(wait=True)
        self.save(learned, live(), offsets(), last=True)
        self.checkpointer.finish()
