"""Run the learner as several shards that share facts, in one process: what does it cost to learn of others later?"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from consumers.config.schema import Settings
from consumers.evaluation.dataset import Data, Vectors
from consumers.evaluation.learner_arms import make_learner, note, settings_of, teach_items
from consumers.evaluation.predictions import WARM_UP_SHARE, ArmOutcome
from consumers.evaluation.workers import Tell
from consumers.kafka_client.producer import partition_of
from models.arms.arm_comparison import ArmComparison
from models.arms.fact_exchange import outgoing
from models.learning.exchange.network_exchange import NetworkPublisher, take_in
from models.learning.learner import Learner
from models.learning.micro_batches import micro_batches
from models.ranking.shared_weights import SharedWeights
from models.schema import Interaction
from models.sharing.shared_facts import Place, SharedFacts, SharedMoves

PARTITIONS = 64
"""Partitions of each topic; partition p belongs to shard p % N."""


class Lag(NamedTuple):
    """How late a shard learns of the events of others: both must have passed. Infinite: never."""

    seconds: float
    """Of event time."""
    events: int
    """Of all shards."""


NEVER = Lag(float("inf"), 0)
"""Shards that share nothing."""


def spread(times: Sequence[int]) -> list[int]:
    """Return times (ms, ascending) with equal ones spread evenly over the resolution of all of them.

    The resolution is the largest unit that all times are multiples of, counted from the first. Many archives have only
    days. Without this, a lag of a second would be one of a day for them.

    >>> spread([0, 1000, 1000, 1000, 1000, 3000])
    [0, 1000, 1250, 1500, 1750, 3000]
    """
    distinct, first, counts = np.unique(np.array(times, np.int64), return_index=True, return_counts=True)
    resolution = int(np.gcd.reduce(np.diff(distinct))) if len(distinct) > 1 else 0
    place = np.arange(len(times)) - np.repeat(first, counts)
    later: list[int] = (
        np.repeat(distinct, counts) + resolution * place // np.repeat(counts, counts)
    ).tolist()
    return later


class Shared(NamedTuple):
    """Facts on their way. at: Unix ms of their last event. number: events of all shards until then."""

    facts: SharedFacts
    shard: int
    at: int
    number: int


class Trainer:
    """The one learner of the network. It learns the facts of all shards, and publishes the weights to them."""

    def __init__(self, learner: Learner, settings: Settings, copies: Sequence[ArmComparison]) -> None:
        self._learner, self._copies = learner, copies
        self._step, self._every = settings.intake.least_step, settings.shards.network_ms
        self._publisher = NetworkPublisher(learner)
        self._published, self._model = -math.inf, -1

    def learn(self, facts: SharedFacts) -> None:
        """Learn facts, in a step with others."""
        self._learner.gather(facts)
        if self._learner.waiting >= self._step:
            self._learner.end_batch()

    def publish_if_due(self, now: int) -> None:
        """Publish what is new, unless it was published a moment ago. now: Unix ms, of the events."""
        if now - self._published < self._every or self._model == self._learner.model:
            return
        self._published, self._model = now, self._learner.model
        for record in self._publisher.records(now, self._publisher.texts()):
            for copy in self._copies:
                take_in(copy.full, record.value)


class Shards:
    """N copies of the learner, each with the users of its partitions."""

    def __init__(self, data: Data, vectors: Vectors, settings: Settings, count: int, lag: Lag) -> None:
        self.lag, self.count, self.learned = lag, count, 0
        self.network_events = settings.intake.least_step
        learning = settings_of(data, settings, settings.learner.seed)
        self.shares = lag != NEVER
        self.copies = [ArmComparison(data.domains, learning, follows=self.shares) for _ in range(count)]
        for copy in self.copies:
            copy.shares = True
            teach_items(copy.full, data, vectors)
        self._rankers = [SharedWeights(copy.full.ranker, list(copy.full.index)) for copy in self.copies]
        self._trainer = None
        if self.shares:
            trainer = make_learner(data, vectors, settings, settings.learner.seed, target_only=False)
            self._trainer = Trainer(trainer, settings, self.copies)
        # The trainer is the last one.
        self._waiting: list[deque[Shared]] = [deque() for _ in range(count + self.shares)]
        self._offsets = [0] * count
        times = spread([event.timestamp for event in data.events])
        self._at = {id(event): at for event, at in zip(data.events, times, strict=True)}
        """Unix ms by the identity of an event, as facts and weights travel."""

    def owner(self, user: str) -> int:
        """Return the shard that has a user."""
        return partition_of(user.encode(), PARTITIONS) % self.count

    def parts(self, batch: list[Interaction]) -> Iterator[tuple[int, list[Interaction]]]:
        """Yield the part of a micro-batch that each shard learns, by shard."""
        owners = [self.owner(event.user) for event in batch]
        for shard in sorted(set(owners)):
            yield shard, [event for event, owner in zip(batch, owners, strict=True) if owner == shard]

    def learn(self, shard: int, events: list[Interaction]) -> None:
        """Let a shard learn what has reached it from others, and then these events of its users."""
        now = self._at[id(events[0])]
        self._fold(shard, now)
        self._train(now)
        copy, begun = self.copies[shard], self._offsets[shard]
        copy.learn(events)
        self.learned += len(events)
        self._offsets[shard] += len(events)
        if self.shares:
            places = [Place("events", shard, begun + n) for n in range(len(events))]
            moves = SharedMoves(shard, self.learned, self._rankers[shard].moved(), [])
            shared = Shared(
                outgoing(copy, events, places)._replace(moves=moves),
                shard,
                self._at[id(events[-1])],
                self.learned,
            )
            for other, waiting in enumerate(self._waiting):
                if other != shard:
                    waiting.append(shared)
        if copy.full.waiting >= self.network_events:
            copy.end_batch()

    def _fold(self, shard: int, now: int) -> None:
        for facts in self._arrived(shard, now):
            assert facts.moves is not None, "a shard has made them"
            self._rankers[shard].move(facts.moves.moves)
            self.copies[shard].full.fold(facts)

    def _train(self, now: int) -> None:
        if self._trainer is not None:
            for facts in self._arrived(self.count, now):
                self._trainer.learn(facts)
            self._trainer.publish_if_due(now)

    def _arrived(self, place: int, now: int) -> Iterator[SharedFacts]:
        """Yield the facts that have reached a shard, or the trainer, by now (Unix ms)."""
        waiting = self._waiting[place]
        while waiting and (
            now - waiting[0].at >= 1000 * self.lag.seconds
            and self.learned - waiting[0].number >= self.lag.events
        ):
            yield waiting.popleft().facts


def run_shards(
    data: Data, vectors: Vectors, settings: Settings, arm: tuple[str, int, Lag], progress: Tell
) -> list[ArmOutcome]:
    """Score every event in its user's shard, and then learn it there. arm: name, number of shards, lag."""
    name, count, lag = arm
    shards = Shards(data, vectors, settings, count, lag)
    total = sum(e.domain == data.target for e in data.events)
    outcome = ArmOutcome(name, settings.learner.seed, total)
    at = {id(event): n for n, event in enumerate(e for e in data.events if e.domain == data.target)}
    done = 0
    for batch in micro_batches(data.events):
        for shard, events in shards.parts(batch):
            shards.learn(shard, events)
            facts = shards.copies[shard].latest
            assert facts is not None, "a batch was learned"
            for n, event in enumerate(events):
                if event.domain == data.target:
                    place = at[id(event)]
                    note(outcome, facts.of(n), place, place >= int(WARM_UP_SHARE * total))
        done += len(batch)
        if done // 1000 > (done - len(batch)) // 1000:
            progress(done)
    catalogue = shards.copies[0].full.catalogues[shards.copies[0].full.index[data.target]]
    outcome.catalogue = int(catalogue.recommendable[: catalogue.size].sum())
    progress(len(data.events))
    return [outcome]


def lag_of(seconds: float | None, events: int | None) -> Lag:
    """Return the lag of options that may be missing: one second, unless events are told."""
    if seconds is None:
        seconds = 1.0 if events is None else 0.0
    return Lag(seconds, events or 0)


def with_seed(settings: Settings, seed: int) -> Settings:
    """Return the settings with another seed."""
    return msgspec.structs.replace(settings, learner=msgspec.structs.replace(settings.learner, seed=seed))
