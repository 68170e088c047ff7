"""Serve a closed-loop world in this process: the pipeline and the lists of `run`, without Kafka and Redis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumers.config.schema import DomainConfig, PrivacyConfig, Settings
from consumers.datasets.record import Sent
from consumers.events.record import Record
from consumers.formats.topic_reader import decoder_of
from consumers.service.offline import offline_pipeline
from consumers.service.stages.microbatch import Batch, Entry
from consumers.simulator.closed_loop.loop import TOGETHER, ListShown
from consumers.simulator.closed_loop.settings import DOMAINS, IMPRESSIONS_PER_DAY, LIST
from consumers.simulator.closed_loop.world import World
from consumers.simulator.event_stream import item_id
from serving.contract import Keys, Write, decode_list
from serving.publication.record_builder import ListOptions, RecordBuilder

START_MS = 1_704_067_200_000
"""Time of the first impression (2024-01-01)."""
SPACING_MS = 86_400_000 / IMPRESSIONS_PER_DAY
TOLD_EVERY = 500
"""Impressions between two times when an informed ranker is told all appeals."""
Vectors = Mapping[tuple[str, str], NDArray[np.float32]]


def settings_of(settings: Settings, seed: int, explore: float) -> Settings:
    """Return the settings of a service for the domains of closed-loop worlds: two sources and a target.

    Users keep their ids, and lists are in the order of their scores: exploring ones may not be made diverse.
    """
    domains = {
        name: DomainConfig(
            role="target" if name == DOMAINS[-1] else "source",
            catalogue="required",
            interactions_topic=f"interactions.{name}",
            items_topic=f"items.{name}",
        )
        for name in DOMAINS
    }
    return msgspec.structs.replace(
        settings,
        domains=domains,
        learner=msgspec.structs.replace(settings.learner, seed=seed),
        ranker=msgspec.structs.replace(settings.ranker, explore=explore, diversity=0.0),
        privacy=PrivacyConfig(),
    )


class InProcess:
    """A `Service` whose records are decoded and learned at once, and whose lists are made when they are asked for.

    A list is the record that the publisher would write to the store. A user without a row gets the popular list, as a
    reader of the store would.
    """

    def __init__(self, settings: Settings, vectors: Vectors) -> None:
        """settings: of `settings_of`. vectors: raw text vectors of all items, by domain and id."""
        self.settings, self._vectors = settings, vectors
        self.pipeline = offline_pipeline(settings)
        self._decode = decoder_of(settings, clock=lambda: math.inf).decode  # the world has its own time
        self._keys = Keys(settings.redis.prefix)
        lists = ListOptions(top=LIST, explain_top=0)
        self._builder = RecordBuilder(self.pipeline.arms, self._keys, lists, START_MS)

    def successor(self, explore: float, told: World | None = None) -> InProcess:
        """Return a service that begins with the state of this one. told: see `Informed`."""
        settings = settings_of(self.settings, self.settings.learner.seed, explore)
        other = (
            InProcess(settings, self._vectors) if told is None else Informed(settings, self._vectors, told)
        )
        other.pipeline.load(self.pipeline.state())
        return other

    def now_ms(self, time: int) -> int:
        """Return when impression number `time` happens, Unix time in ms."""
        return START_MS + round(time * SPACING_MS)

    def put(self, items: Sequence[Sent]) -> None:
        """Take new items in, with their text vectors."""
        self.take(items)
        keys = [(sent.domain, sent.key.decode()) for sent in items]
        self.pipeline.arms.put_text_vectors({key: self._vectors[key] for key in keys}, idle=True)

    def take(self, records: Sequence[Sent]) -> None:
        """Decode and learn records."""
        entries: list[tuple[Record, Entry]] = []
        for sent in records:
            at = START_MS if sent.timestamp is None else sent.timestamp
            record = Record(self.settings.topic_of(sent.kind, sent.domain), 0, 0, at, sent.key, sent.value)
            entries.append((record, self._decode(record)))
        self.pipeline.learning.learn(Batch(entries, {}))
        arms = self.pipeline.arms
        if arms.full.waiting >= self.settings.intake.least_step:
            arms.end_batch()

    def lists(self, domain: str, users: Sequence[str], time: int) -> list[ListShown]:
        """Make the list of each user."""
        full, ms = self.pipeline.arms.full, self.now_ms(time)
        resident = list(dict.fromkeys(user for user in users if user in full.users))
        found = {user: write for user, _, write in self._builder.lists(domain, resident, ms)}
        popular = None
        for user in users:
            if user not in found or found[user].value is None:
                popular = popular or self._builder.popular(domain, ms)
                found[user] = popular
        return [_shown(found[user]) for user in users]


class Informed(InProcess):
    """Serves lists that are made with the true appeal of each item. What it learns of tastes, it learns itself.

    Appeals are told again and again, because in some worlds they change.
    """

    def __init__(self, settings: Settings, vectors: Vectors, world: World) -> None:
        """world: it is told how appealing the items of this world are."""
        super().__init__(settings, vectors)
        self._world, self._told_at = world, -TOLD_EVERY

    def put(self, items: Sequence[Sent]) -> None:
        """Take new items in. Their appeal is told before the next list."""
        super().put(items)
        self._told_at = -TOLD_EVERY

    def lists(self, domain: str, users: Sequence[str], time: int) -> list[ListShown]:
        """Make the list of each user."""
        if time - self._told_at >= TOLD_EVERY:
            self._told_at = time
            for number, name in enumerate(DOMAINS):
                self._tell(number, name, time)
        return super().lists(domain, users, time)

    def _tell(self, number: int, name: str, time: int) -> None:
        """Tell the appeals of a domain's items, relative to their mean."""
        full = self.pipeline.arms.full
        there = np.flatnonzero(self._world.arrived(number, time + TOGETHER - 1))  # what `put` has had
        ids = [item_id(name, row) for row in there.tolist()]
        appeal = self._world.appeal(number, time)[there]
        full.appeal.tell(name, ids, (appeal - appeal.mean()).tolist())


def _shown(write: Write) -> ListShown:
    """Return the list that a write holds."""
    if write.value is None:
        return ListShown([], 0)
    record = decode_list(write.value)
    return ListShown([item.id for item in record.items], record.published_ts)
