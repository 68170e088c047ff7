"""Load the state of an old shard as this version and this config write it, with the facts that it has not read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry

from consumers.config.schema import Settings
from consumers.config.shards import ShardsConfig
from consumers.errors import STATE_UNUSABLE, Stop
from consumers.service.offline import NoLetters, offline_pipeline
from consumers.service.saving.stored_state import newest_state, with_learned
from consumers.sharing.facts_log import FactsLog
from consumers.sharing.shard import ShardEnds, Sharing
from serving.shard_metrics import ShardMetrics

Say = Callable[[str], None]
State = dict[str, Any]


def alone(settings: Settings) -> Settings:
    """Return the settings for a process that has everything, whichever shard they are for."""
    return msgspec.structs.replace(settings, shards=ShardsConfig())


def loaded(path: Path, settings: Settings, say: Say) -> State:
    """Return the newest state of a folder. Raises Stop (exit 4)."""
    state = newest_state(path, say, "start this shard once, and stop it")
    pipeline = offline_pipeline(alone(settings))
    try:
        notes = pipeline.load(state)
        now = pipeline.state()
    except (KeyError, ValueError, TypeError) as error:
        raise Stop(f"{path} does not fit this config: {error}", STATE_UNUSABLE) from error
    for note in notes:
        say(note)
    say(f"read {path}: {len(pipeline.arms.full.users):,} users")
    return with_learned(state, now)


def with_all_facts(state: State, settings: Settings, facts: FactsLog, shard: int, count: int) -> State:
    """Return the state of a shard as it is once it has learned all facts that there are. Raises Stop.

    settings: of the shards, of which there were `count`.
    """
    pipeline = offline_pipeline(alone(settings))
    pipeline.load(state)
    shards = msgspec.structs.replace(settings.shards, index=shard, count=count)
    own = msgspec.structs.replace(settings, shards=shards)
    ends = ShardEnds(facts, NoLetters(), count, ShardMetrics(CollectorRegistry()))
    sharing = Sharing(own, pipeline.arms, pipeline.queue, ends)
    sharing.load(state["shards"])
    sharing.start()
    sharing.close()
    return with_learned(state, pipeline.state()) | {"shards": sharing.state()}
