"""Put the parts of a pipeline together. Only this module does it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from consumers.config.schema import Settings
from consumers.dead_letters.sink import Sink
from consumers.service.canary import Canaries
from consumers.service.parts import Parts
from consumers.service.pipeline import Pipeline
from consumers.service.saving.checkpointer import Checkpointer
from consumers.service.text_encoding import Encoding
from consumers.sharing.exchange import Exchange
from consumers.sharing.network_role import NetworkEnds, NetworkRole
from consumers.sharing.shard import ShardEnds, Sharing
from consumers.source.protocol import Source
from models.arms.arm_comparison import ArmComparison
from serving.contract import Keys
from serving.metrics import Metrics
from serving.publication.publication_queue import PublicationQueue
from serving.publication.record_builder import ListOptions
from serving.publication.shard_part import ShardPart
from serving.store.publisher import Publisher


class Ends(NamedTuple):
    """The ends of a pipeline: where records come from, and where results go."""

    source: Source
    sink: Sink
    encoding: Encoding
    publisher: Publisher | None = None
    """None: nothing is published."""
    checkpointer: Checkpointer | None = None
    """None: nothing is saved."""
    canaries: Canaries | None = None
    shard: ShardEnds | None = None
    """None: there is one shard only, or this process is no shard."""
    network: NetworkEnds | None = None
    """Of the process that trains the network of all shards."""


class Clocks(NamedTuple):
    """Two clocks; both return seconds."""

    steady: Callable[[], float] = time.monotonic
    """A steady clock, to find what is due."""
    wall: Callable[[], float] = time.time
    """Time since the epoch, to compare with events and lists."""


def learners(settings: Settings, follows: bool = False, leads: bool = True) -> ArmComparison:
    """Return new learners for this config. follows, leads: see `ArmComparison`."""
    experiments = settings.live_experiments()
    return ArmComparison(settings.domain_list(), settings.learning(), follows, leads, experiments)


def wired(
    settings: Settings, ends: Ends, metrics: Metrics, clocks: Clocks | None = None, started_ts: int = 0
) -> Pipeline:
    """Return a pipeline with new learners and a new publication queue. started_ts: start of this process, Unix ms."""
    clocks, publish = clocks or Clocks(), settings.publish
    follows = ends.shard is not None and ends.shard.model is not None
    arms = learners(settings, follows, leads=not settings.shards.own() or ends.network is not None)
    lists = ListOptions(
        publish.top, publish.explain_top, publish.ttl_seconds, publish.lists_within_ms / 1000,
        publish.refresh_seconds, publish.similar, publish.similar_seconds, publish.pool,
    )  # fmt: skip
    own = ShardPart(settings.shards.own(), settings.shards.count)
    queue = PublicationQueue(
        arms, Keys(settings.redis.prefix, own.index), clocks.wall, lists, started_ts, own
    )
    sharing: Exchange | None = None
    if ends.shard is not None:
        sharing = Sharing(settings, arms, queue, ends.shard, clocks.steady)
    elif ends.network is not None:
        sharing = NetworkRole(settings, arms, ends.network, *clocks)
    parts = Parts(
        ends.source, ends.sink, arms, ends.encoding, queue, ends.publisher, ends.checkpointer, ends.canaries,
        metrics, clocks.steady, clocks.wall, sharing,
    )  # fmt: skip
    return Pipeline(settings, parts)
