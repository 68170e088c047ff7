"""Share what this shard learns with the others, and learn what they share: each event once, whatever happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

from consumers.config.schema import Settings
from consumers.dead_letters.sink import Sink
from consumers.errors import Stop
from consumers.events.record import Record
from consumers.sharing.exchange import SILENT_SECONDS, Waiting, place_of
from consumers.sharing.facts_log import FactsLog, count_facts, facts_of
from consumers.sharing.followed_weights import FollowedWeights, ModelLog
from consumers.sharing.reroute import Reroute
from models.adaptation.adaptation_loop import Notice
from models.arms.arm_comparison import ArmComparison
from models.arms.fact_exchange import judge, outgoing
from models.learning.exchange.network_exchange import row_with_room
from models.learning.shown.shared_appeal import SharedAppeal
from models.ranking.shared_weights import SharedWeights
from models.schema import Interaction
from models.sharing.applied import Applied
from models.sharing.joining import MOST, batches
from models.sharing.packing import pack
from models.sharing.shared_facts import NO_FACTS, SharedFacts, SharedMoves
from models.state.tracked_tables import Checkpointed
from serving.publication.publication_queue import PublicationQueue
from serving.shard_metrics import ShardMetrics


class ShardEnds(NamedTuple):
    """The ends of a shard. partitions: of every topic of events."""

    facts: FactsLog
    reroute_sink: Sink
    partitions: int
    metrics: ShardMetrics
    model: ModelLog | None = None
    """Weights of the network that another process trains. None: the network is trained here, on own events alone."""


class Sharing(Checkpointed):
    """The sharing side of a shard. The loop's thread calls everything but `problem`.

    Two rules make each event count once in every copy of the shared tables (tests/laws/sharing). A checkpoint is
    written only after the facts of all it covers are acknowledged (`marked`). At the start the facts are read to
    their end before the first own event (`start`). An own event that comes again after a crash,
    although its fact was read, teaches its user only.
    """

    def __init__(
        self,
        settings: Settings,
        arms: ArmComparison,
        queue: PublicationQueue,
        ends: ShardEnds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """clock: seconds of a steady clock."""
        self._shards, self._arms, self._queue = settings.shards, arms, queue
        self.facts, self._metrics, self._clock = ends.facts, ends.metrics, clock
        self._weights: FollowedWeights | None = None
        if ends.model is not None:
            self._weights = FollowedWeights(arms.full, ends.model, self._shards.model_topic, ends.metrics)
        self.reroute = Reroute(settings, ends.partitions, ends.reroute_sink, ends.metrics)
        self._applied, self._judged, self._offset = Applied(), Applied(), 0
        self._ranker = SharedWeights(arms.full.ranker, list(arms.full.index))
        self._appeal = SharedAppeal(arms.full.appeal, list(arms.full.index), arms.full.catalogues)
        arms.full.shown.shared = self._appeal
        self._moves: dict[int, int] = {}
        """By shard, the number of the next moves of its ranker."""
        self._out: list[SharedFacts] = []
        self._since, self._turned = 0.0, clock()
        self._probe = 0
        self._problem: str | None = None
        self.fenced = False
        """Whether a later process of this shard has begun, so that this one must save and publish nothing."""
        arms.shares = True
        arms.taken_up()  # from now on they are kept for other shards

    def start(self) -> None:
        """Read weights and facts to their end, before the first own event. Raises Stop."""
        if self._weights is not None:
            self._weights.start()
        for records in self.facts.start(self._offset):
            self._take(records)
        self._turned = self._clock()

    def learn(self, waiting: Waiting) -> list[Notice]:
        """Learn own events, and share what is new. Return the notices of the adaptation loop."""
        notices = list[Notice]()
        for known, run in self._runs(waiting):
            events, places = [event for _, event in run], [place_of(record) for record, _ in run]
            if known:
                with self._ranker.kept():
                    notices += self._arms.learn(events, known)
                self._arms.taken_up()  # it was shared before
                continue
            notices += self._arms.learn(events)
            for place in places:
                self._applied.claim(place)
            if not self._out:
                self._since = self._clock()
            self._out.append(outgoing(self._arms, events, places))
        if sum(one.size for one in self._out) >= MOST:
            self.flush()
        return notices

    def _runs(self, waiting: Waiting) -> Iterator[tuple[bool, list[tuple[Record, Interaction]]]]:
        """Yield runs of events that were all learned from facts before, or all not; none is too large to learn."""
        most = self._arms.full.most_events
        for known, group in groupby(waiting, lambda pair: self._applied.knows(place_of(pair[0]))):
            run = list(group)
            for start in range(0, len(run), most):
                yield known, run[start : start + most]

    def step(self) -> list[Notice]:
        """Take a turn: send what is due, learn what has come. Raises Stop (exit 4) if this process was replaced."""
        now, paused = self._clock(), self._clock() - self._turned
        self._turned = now
        self.reroute.sink.check()
        self._check()
        if paused > SILENT_SECONDS:
            # Meanwhile another process may have taken over: only an acknowledgement tells that none has.
            self.facts.send(pack(NO_FACTS))
            self._probe = self.facts.sent
        if (self._out or self._appeal.waits) and now - self._since >= self._shards.share_ms / 1000:
            self.flush()
        self._take(self.facts.poll())
        if self._weights is not None:
            self._weights.step()
        self._note(self.facts.unacknowledged())
        return []

    def waits(self) -> bool:
        """Return whether more facts have come than were learned."""
        return self.facts.behind() > 0

    def _check(self) -> None:
        try:
            self.facts.check()
        except Stop:
            self.fenced = True
            raise

    def flush(self) -> None:
        """Send the facts that wait, and what moved since the last ones."""
        facts = list(batches(self._out))
        if facts or self._appeal.waits:
            own, (shows, shown) = self._shards.own(), self._appeal.moved()
            number = self._moves.get(own, 0)
            moves = SharedMoves(own, number, self._ranker.moved(), self._arms.taken_up(), shows, shown)
            facts = facts or [NO_FACTS]
            facts[-1] = facts[-1]._replace(moves=moves)
            self._moves[own] = number + 1
        for one in facts:
            self.facts.send(pack(one))
            self._metrics.facts.labels("sent").inc(one.size)
        self._out, self._since = [], self._clock()

    def _move(self, moves: SharedMoves | None) -> None:
        """Move weights and appeals as other shards did, or this one before a crash: each time once."""
        if moves is not None and moves.number >= self._moves.get(moves.shard, 0):
            self._moves[moves.shard] = moves.number + 1
            self._ranker.move(moves.moves)
            for bias in moves.biases:
                self._arms.take_up(bias)
            self._appeal.move(moves.shows, moves.shown, partial(row_with_room, self._arms.full))

    def _take(self, records: Sequence[tuple[int, bytes]]) -> None:
        """Learn the facts of records in their order."""
        if not records:
            return
        begun = time.process_time()
        found = [facts_of(value, self._shards.facts_topic) for _, value in records]
        for one in found:
            self._move(one.moves)
        judged, folded = 0, 0
        for one in batches(self._judged.claim_new(facts) for facts in found):
            judge(self._arms, one)
            judged += one.size
        for one in batches((self._applied.claim_new(facts) for facts in found), self._most()):
            self._arms.full.fold(one)
            folded += one.size
            self._touched(one)
        self._offset = records[-1][0]
        count_facts(self._metrics, found, judged, folded, time.process_time() - begun, time.time())

    def _most(self) -> int:
        return min(MOST, self._arms.full.most_events)

    def _touched(self, facts: SharedFacts) -> None:
        """Let the items' new state be published."""
        for domain, item in {*zip(facts.domain.tolist(), facts.item.tolist(), strict=True)}:
            if (name := facts.domains[domain]) in self._arms.full.index:
                self._queue.item_learned(name, facts.ids[domain][item])

    def _note(self, seconds: float) -> None:
        """Note how long facts have waited for an acknowledgement, and say it if that is too long."""
        self._metrics.lag_records.set(self.facts.behind())
        self._problem = None
        if seconds >= SILENT_SECONDS:
            pauses = "; reading pauses" if seconds >= self._shards.alone_seconds else ""
            self._problem = (
                f"facts are not acknowledged for {seconds:.0f} s: other shards do not learn from this one, and it "
                f"neither saves nor publishes{pauses}"
            )

    def marked(self, safe: Callable[[], bool]) -> Callable[[], bool]:
        """Return `safe`, extended by a wait until all facts and rerouted events up to now are acknowledged."""
        self.flush()
        facts, rerouted = self.facts.sent, self.reroute.sink.sent
        return lambda: safe() and self.facts.wait(facts) and self.reroute.sink.wait(rerouted)

    def saved(self) -> None:
        """Do nothing: all that a checkpoint waits for came before it."""

    def settle(self, timeout: float) -> bool:
        """Wait until all facts and rerouted events are acknowledged. Return whether they are."""
        self.flush()
        sink = self.reroute.sink
        return self.facts.wait(self.facts.sent, timeout) and sink.wait(sink.sent, timeout)

    def close(self) -> None:
        """End. What is not acknowledged by now is learned again at the next start."""
        self.facts.close()
        if self._weights is not None:
            self._weights.close()
        self.reroute.sink.close()

    def silent(self) -> bool:
        """Return whether nothing may be written to the store, because another process may have taken over."""
        paused = self._clock() - self._turned
        if self.fenced or max(paused, self.facts.unacknowledged()) >= SILENT_SECONDS:
            return True
        return bool(self._probe) and not self.facts.wait(self._probe, 0.0)

    def blocked(self) -> bool:
        """Return whether reading must pause: other shards learn nothing from what would be learned."""
        return self.reroute.sink.full() or self.facts.unacknowledged() >= self._shards.alone_seconds

    def problem(self) -> str | None:
        """Return why this shard is alone; None if it is not. Any thread may call it."""
        return self._problem or self.reroute.sink.problem()

    def live(self) -> dict[str, Any]:
        """Return what `load` takes. Facts that wait leave first, so that the state says what was sent."""
        self.flush()
        return {
            "ranker": self._ranker.live(),
            "moves": [[shard, number] for shard, number in sorted(self._moves.items())],
            "applied": self._applied.state(),
            "judged": self._judged.state(),
            "shown": self._appeal.applied.state(),
            "facts": self._offset,
            "rerouted": self.reroute.live(),
        } | ({} if self._weights is None else {"weights": self._weights.live()})

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self._ranker.load(state.get("ranker", {}))
        self._moves = {int(shard): int(number) for shard, number in state.get("moves", ())}
        self._applied.load(state["applied"])
        self._judged.load(state["judged"])
        self._appeal.applied.load(state.get("shown", ()))
        self._offset = int(state["facts"])
        self.reroute.load(state["rerouted"])
        if self._weights is not None and "weights" in state:
            self._weights.load(state["weights"])
