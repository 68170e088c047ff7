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
from consumers.service.pipeline import Pipeline
from consumers.sharing.facts_log import FactsLog
from consumers.sharing.shard import ShardEnds, Sharing
from models.state.checkpoint import CheckpointDirectory, UnusableError
from serving.shard_metrics import ShardMetrics

Say = Callable[[str], None]
State = dict[str, Any]
REWRITTEN = ("arms", "outbox", "dedup", "limits", "forgotten", "marks", "text_encoder")
"""Parts of a state that are brought to the form of this version."""


def alone(settings: Settings) -> Settings:
    """Return the settings for a process that has everything, whichever shard they are for."""
    return msgspec.structs.replace(settings, shards=ShardsConfig())


def loaded(path: Path, settings: Settings, say: Say) -> State:
    """Return the newest state of a folder. Raises Stop (exit 4)."""
    try:
        state, problems = CheckpointDirectory(path, read_only=True).load()
    except (UnusableError, OSError) as error:
        raise Stop(f"{path}: {error}", STATE_UNUSABLE) from error
    if state is None:
        raise Stop(f"{path} holds no checkpoint: start this shard once, and stop it", STATE_UNUSABLE)
    for problem in problems:
        say(f"damaged checkpoint passed over; an older one is used: {problem}")
    pipeline = offline_pipeline(alone(settings))
    try:
        notes = pipeline.load(state)
        now = _rewritten(pipeline)
    except (KeyError, ValueError, TypeError) as error:
        raise Stop(f"{path} does not fit this config: {error}", STATE_UNUSABLE) from error
    for note in notes:
        say(note)
    say(f"read {path}: {len(pipeline.arms.full.users):,} users")
    return state | now


def _rewritten(pipeline: Pipeline) -> State:
    now = pipeline.state()
    return {name: now[name] for name in REWRITTEN}


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
    return state | _rewritten(pipeline) | {"shards": sharing.state()}
