"""Say where new shards go on in what shards share: facts and rerouted events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from consumers.errors import STATE_UNUSABLE, Stop
from consumers.events.deduplication import DedupWindow
from consumers.events.record import Offsets
from consumers.rescaling.windows import joined
from models.migration.user_rows import State


class SharedEnds(NamedTuple):
    """Where the shared topics end now. facts: the next offset. rerouted: the next offset of each partition."""

    facts: int = 0
    rerouted: Mapping[int, int] = {}


NO_ENDS = SharedEnds()
LEARNED = "applied", "shown"
"""Parts of a shard's state that say which events, and which shows and clicks on them, its tables have learned."""


def facts_read(state: State) -> int:
    """Return the next fact that a shard reads; 0 for a single process."""
    return int(state["shards"]["facts"]) if "shards" in state else 0


def shared_places(
    states: Sequence[State], base: int, interactions: frozenset[str], ends: SharedEnds
) -> State:
    """Return the part `shards` of the state of each new shard; see `Sharing.live`. ends: now.

    Shared tables are the base's, so the new shards go on in the facts where the base was. What was rerouted to any
    shard is known by all. A single process has learned all before its own offsets. Earlier shards
    may have left facts of these events in the topic, so it is passed over.
    """
    old: State | None = states[base].get("shards")
    if old is not None:
        return old | {"rerouted": joined([state["shards"]["rerouted"] for state in states])}
    own = sorted(entry for entry in states[base]["offsets"] if entry[0] in interactions)
    return {
        "applied": own,
        "judged": own,
        "shown": own,
        "facts": ends.facts,
        "rerouted": DedupWindow(0).state(),
    }


def rerouted_offsets(
    states: Sequence[State], topic: str, ends: SharedEnds, shard: int, count: int
) -> list[list[Any]]:
    """Return where new shard `shard` of `count` goes on in its partitions of the topic of rerouted events.

    A single process has not read it. What lies there was learned by earlier shards.
    """
    found: Offsets = {(topic, partition): end for partition, end in ends.rerouted.items()}
    if len(states) > 1:
        found = {
            (name, partition): offset
            for old, state in enumerate(states)
            for name, partition, offset in state["offsets"]
            if name == topic and partition % len(states) == old
        }
    return [[*place, offset] for place, offset in sorted(found.items()) if place[1] % count == shard]


def check_whole(states: Sequence[State], base: int, reroute_topic: str, ends: SharedEnds) -> None:
    """Raise Stop (exit 4) unless a single process can go on from the base's tables: it reads no facts."""
    for learned in LEARNED:
        _check_learned(states, base, learned)
    for shard, state in enumerate(states):
        own: Offsets = {(t, p): n for t, p, n in state["offsets"] if p % len(states) == shard}
        unread = [
            partition
            for partition, end in ends.rerouted.items()
            if partition % len(states) == shard and own.get((reroute_topic, partition), 0) < end
        ]
        if unread:
            raise Stop(
                f"shard {shard} has not read topic {reroute_topic} to its end, and a single process would not. Start "
                "all shards, wait until they have read the log, stop them, and repeat the command.",
                STATE_UNUSABLE,
            )


def _check_learned(states: Sequence[State], base: int, learned: str) -> None:
    """Raise Stop unless the base has all that shards have shared, and these hold it. learned: one of `LEARNED`."""
    held: Offsets = {(t, p): n for t, p, n in states[base]["shards"].get(learned, ())}
    for shard, state in enumerate(states):
        own: Offsets = {(t, p): n for t, p, n in state["offsets"] if p % len(states) == shard}
        for topic, partition, following in state["shards"].get(learned, ()):
            if partition % len(states) == shard and held.get((topic, partition), 0) < following:
                raise Stop(
                    f"shard {base} has not learned all that shard {shard} has shared. Run this command with the "
                    "broker, without --offline: it reads the topic of facts to its end.",
                    STATE_UNUSABLE,
                )
        for (topic, partition), following in held.items():
            if partition % len(states) == shard and own.get((topic, partition), 0) < following:
                raise Stop(
                    f"shard {shard} has shared events of {topic} that its checkpoint does not hold: it was killed. "
                    "Start all shards, wait until they have read the log, stop them, and repeat the command.",
                    STATE_UNUSABLE,
                )
