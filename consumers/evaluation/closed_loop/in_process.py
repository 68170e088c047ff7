"""Serve a closed-loop world in this process: the pipeline and the lists of `run`, without Kafka and Redis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumers.config.schema import DomainConfig, Settings
from consumers.datasets.record import Sent
from consumers.events.record import Record
from consumers.formats.topic_reader import decoder_of
from consumers.service.offline import offline_pipeline
from consumers.service.stages.microbatch import Batch
from consumers.simulator.closed_loop.loop import ListShown
from consumers.simulator.closed_loop.settings import DOMAINS, IMPRESSIONS_PER_DAY, LIST
from models.schema import Item
from serving.contract import Keys, Write, decode_list
from serving.publication.record_builder import ListOptions, RecordBuilder

START_MS = 1_704_067_200_000
"""Time of the first impression (2024-01-01)."""
SPACING_MS = 86_400_000 / IMPRESSIONS_PER_DAY
Vectors = Mapping[tuple[str, str], NDArray[np.float32]]


def settings_of(settings: Settings, seed: int, explore: float) -> Settings:
    """Return the settings of a service for the domains of closed-loop worlds: two sources and a target."""
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
        ranker=msgspec.structs.replace(settings.ranker, **({"explore": explore} if explore else {})),
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
        self._ms = START_MS

    def successor(self, settings: Settings) -> InProcess:
        """Return a service with these settings that begins with the state of this one."""
        other = type(self)(settings, self._vectors)
        other.pipeline.load(self.pipeline.state())
        return other

    def now_ms(self, time: int) -> int:
        """Return when impression number `time` happens, Unix time in ms."""
        self._ms = START_MS + round(time * SPACING_MS)
        return self._ms

    def put(self, items: Sequence[Sent]) -> None:
        """Take new items in, with their text vectors."""
        new = {}
        for _, item in self.take(items):
            assert isinstance(item, Item)
            new[item.domain, item.item_id] = self._vectors[item.domain, item.item_id]
        self.pipeline.arms.put_text_vectors(new, idle=True)

    def take(self, records: Sequence[Sent]) -> list[tuple[Record, Any]]:
        """Decode and learn records. Return what was learned."""
        entries = []
        for sent in records:
            at = self._ms if sent.timestamp is None else sent.timestamp
            record = Record(self.settings.topic_of(sent.kind, sent.domain), 0, 0, at, sent.key, sent.value)
            entries.append((record, self._decode(record)))
        self.pipeline.learning.learn(Batch(entries, {}))
        arms = self.pipeline.arms
        if arms.full.waiting >= self.settings.intake.network_events:
            arms.end_batch()
        return entries

    def lists(self, domain: str, users: Sequence[str]) -> list[ListShown]:
        """Make the list of each user."""
        full = self.pipeline.arms.full
        resident = list(dict.fromkeys(user for user in users if user in full.users))
        found = {user: write for user, _, write in self._builder.lists(domain, resident, self._ms)}
        popular = None
        for user in users:
            if user not in found or found[user].value is None:
                popular = popular or self._builder.popular(domain, self._ms)
                found[user] = popular
        return [_shown(found[user]) for user in users]


def _shown(write: Write) -> ListShown:
    """Return the list that a write holds."""
    if write.value is None:
        return ListShown([], 0)
    record = decode_list(write.value)
    return ListShown([item.id for item in record.items], record.published_ts)
