"""Make the first state of the process that trains the network of several shards, from the state of one of them."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from consumers.config.schema import Settings
from consumers.service.offline import offline_pipeline
from models.migration.reshard import Plan, reshard
from serving.store.store_mark import UNKNOWN

State = dict[str, Any]
FRESH = ("outbox", "dedup", "limits", "forgotten", "marks")
"""What the trainer has no use for: it reads no events, holds no users and publishes no lists."""


def network_state(state: State, settings: Settings, items: Set[str]) -> State:
    """Return a shard's state without its users: the same network, items and texts, and the same facts still to read.

    So the weights that it publishes go on from those that the shards have, with the same basis of texts. state: of a
    new shard. items: the topics of items.
    """
    pipeline = offline_pipeline(settings)
    fresh, shared = pipeline.state(), state["shards"]
    nobody, _ = reshard([state["arms"]], pipeline.arms.full, Plan(lambda _shard, _user: 1, 2)).states
    return state | {
        **{name: fresh[name] for name in FRESH},
        "arms": nobody,
        "offsets": [place for place in state["offsets"] if place[0] in items],
        "shards": {"applied": shared["applied"], "facts": shared["facts"]},
        "store": UNKNOWN,
    }
