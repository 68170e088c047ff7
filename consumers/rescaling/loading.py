"""Load the state of an old shard as this version and this config write it, with the facts that it has not read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from consumers.config.schema import Settings
from consumers.service.offline import NoLetters, loaded_pipeline, offline_pipeline
from consumers.service.saving.stored_state import newest_state, with_learned
from consumers.sharing.facts_log import FactsLog
from consumers.sharing.shard import ShardEnds, Sharing
from serving.shard_metrics import ShardMetrics

Say = Callable[[str], None]
State = dict[str, Any]


def loaded(path: Path, settings: Settings, say: Say) -> State:
    """Return the newest state of a folder. Raises Stop (exit 4)."""
    state = newest_state(path, say, "start this shard once, and stop it")
    pipeline = loaded_pipeline(state, settings, path, say)
    say(f"read {path}: {len(pipeline.arms.full.users):,} users")
    return with_learned(state, pipeline.state())


def with_all_facts(state: State, settings: Settings, facts: FactsLog, shard: int, count: int) -> State:
    """Return the state of a shard as it is once it has learned all facts that there are. Raises Stop.

    settings: of the shards, of which there were `count`.
    """
    pipeline = offline_pipeline(settings)
    pipeline.load(state)
    shards = msgspec.structs.replace(settings.shards, index=shard, count=count)
    own = msgspec.structs.replace(settings, shards=shards)
    ends = ShardEnds(facts, NoLetters(), count, ShardMetrics(CollectorRegistry()))
    sharing = Sharing(own, pipeline.arms, pipeline.queue, ends)
    sharing.load(state["shards"])
    sharing.start()
    sharing.close()
    return with_learned(state, pipeline.state()) | {"shards": sharing.state()}
