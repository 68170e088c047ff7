"""Train the one network of several shards: learn the facts of all, and publish the weights."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from consumers.config.schema import Settings
from consumers.errors import Stop
from consumers.sharing.exchange import SILENT_SECONDS, Waiting
from consumers.sharing.facts_log import FactsLog, count_facts, facts_of
from consumers.sharing.reroute import Reroute
from models.adaptation.adaptation_loop import Notice
from models.arms.arm_comparison import ArmComparison
from models.learning.exchange.network_exchange import NetworkPublisher
from models.sharing.applied import Applied
from models.sharing.joining import MOST, batches
from models.sharing.shared_facts import SharedFacts
from models.state.tracked_tables import Checkpointed
from serving.shard_metrics import ShardMetrics

MOST_WAITING = 4_096
"""Events of facts that wait for a step of the network, from which on no more are taken in one turn."""
HEARTBEAT_SECONDS = 10.0
"""Seconds after which weights that are unchanged are published again, so that their age tells of this process."""


class NetworkEnds(NamedTuple):
    """The ends of the process that trains the network. log: reads facts, and sends weights."""

    log: FactsLog
    metrics: ShardMetrics


class NetworkRole(Checkpointed):
    """An `Exchange` that reads no events. The pipeline takes the network's steps, as in one process.

    Each fact is learned once: a checkpoint holds the offset of the facts it covers, and which events they were. After a
    start all rows of items are published, because an earlier process may have published others.
    """

    def __init__(
        self,
        settings: Settings,
        arms: ArmComparison,
        ends: NetworkEnds,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """clock: seconds of a steady clock. wall_clock: seconds since the epoch."""
        self._shards, self._arms = settings.shards, arms
        self._log, self._metrics = ends.log, ends.metrics
        self._clock, self._wall_clock = clock, wall_clock
        self._publisher = NetworkPublisher(arms.full)
        self._applied, self._offset = Applied(), 0
        self._held: deque[tuple[int, bytes]] = deque()
        self._texts: bytes | None = None
        """The newest basis of texts that a checkpoint on disk holds, as it is published."""
        self._marked: bytes | None = None
        self._published, self._model = float("-inf"), -1
        self._problem: str | None = None
        self.fenced = False
        ends.metrics.network_age.set_function(lambda: max(0.0, clock() - self._acknowledged))
        self._acknowledged = clock()

    @property
    def reroute(self) -> Reroute | None:
        """None: no events are read."""
        return None

    def start(self) -> None:
        """Fence an earlier process, and begin to read. Raises Stop."""
        for records in self._log.start(self._offset):
            self._held.extend(records)

    def learn(self, waiting: Waiting) -> list[Notice]:
        """Refuse events: this process reads none."""
        raise AssertionError(f"the network role reads no events, and was given {len(waiting)}")

    def step(self) -> list[Notice]:
        """Take in facts, and publish weights that are due. Raises Stop (exit 4) if this process was replaced."""
        try:
            self._log.check()
        except Stop:
            self.fenced = True
            raise
        self._take()
        self._publish_if_due()
        self._note(self._log.unacknowledged())
        loop = self._arms.loop
        return [] if loop is None else loop.follow_network()

    def waits(self) -> bool:
        """Return whether more facts have come than were taken in."""
        return bool(self._held) or self._log.behind() > 0

    def _take(self) -> None:
        """Let facts wait for the next step of the network, as many as one turn takes."""
        if not self._held:
            self._held.extend(self._log.poll())
        found, count, begun = list[SharedFacts](), self._arms.full.waiting, time.process_time()
        while self._held and count < MOST_WAITING:
            self._offset, value = self._held.popleft()
            found.append(facts_of(value, self._shards.facts_topic))
            count += found[-1].size
        taken, most = 0, min(MOST, self._arms.full.most_events)
        for one in batches((self._applied.claim_new(facts) for facts in found), most):
            self._arms.full.gather(one)
            taken += one.size
        self._arms.full.rows.forget_evictions()  # nothing about items is published here
        self._metrics.lag_records.set(self._log.behind() + len(self._held))
        count_facts(self._metrics, found, taken, taken, time.process_time() - begun, self._wall_clock())

    def _publish_if_due(self) -> None:
        """Publish what is new, once what was published before is acknowledged: later weights replace earlier ones."""
        if not self._log.wait(self._log.sent, 0.0):
            return
        now, model = self._clock(), self._arms.full.model
        if self._model >= 0:
            self._acknowledged = self._published
        passed = now - self._published
        every = self._shards.network_ms / 1000 if model != self._model else HEARTBEAT_SECONDS
        if passed >= every:
            self._publish(now)

    def _publish(self, now: float) -> None:
        for key, value in self._publisher.records(int(1000 * self._wall_clock()), self._texts):
            self._log.send(value, key)
            self._metrics.weights.labels("sent").inc(len(value))
        self._published, self._model = now, self._arms.full.model

    def _note(self, seconds: float) -> None:
        self._problem = None
        if seconds >= SILENT_SECONDS:
            self._problem = f"weights are not acknowledged for {seconds:.0f} s: shards go on with older ones"

    def marked(self, safe: Callable[[], bool]) -> Callable[[], bool]:
        """Return `safe`: weights follow from what a checkpoint holds, so it need not wait for them."""
        self._marked = self._publisher.texts()
        return safe

    def saved(self) -> None:
        """Publish from now on the basis of texts that is on disk; see `NetworkPublisher.texts`."""
        self._texts = self._marked

    def settle(self, timeout: float) -> bool:
        """Publish what is new, and wait for that. Return that a checkpoint may be written, for it needs no weights."""
        if self._arms.full.model != self._model:
            self._publish(self._clock())
        self._log.wait(self._log.sent, timeout)
        return True

    def close(self) -> None:
        """End."""
        self._log.close()

    def silent(self) -> bool:
        """Return that nothing has to stay unwritten: this process has no store."""
        return False

    def blocked(self) -> bool:
        """Return that reading goes on."""
        return False

    def problem(self) -> str | None:
        """Return why the weights do not reach the shards; None if they do. Any thread may call it."""
        return self._problem

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {"applied": self._applied.state(), "facts": self._offset}

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state. Load the learner first."""
        self._applied.load(state["applied"])
        self._offset = int(state["facts"])
        self._texts = self._publisher.texts()
