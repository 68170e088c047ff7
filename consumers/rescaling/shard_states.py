"""Make the states of M pipelines from the states of N: learners, what is to be published, offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from consumers.events.record import Offsets
from consumers.rescaling.dealt_lists import lists_of, neighbours_due
from consumers.rescaling.shared_places import NO_ENDS, SharedEnds, facts_read, rerouted_offsets, shared_places
from consumers.rescaling.windows import dealt_windows
from models.learning.learner import Learner
from models.migration.reshard import Plan, reshard
from models.migration.user_rows import State, gathered
from serving.store.store_mark import UNKNOWN, as_known

EQUAL = ("text_encoder", "privacy")
"""What must be equal in all shards."""


class Topics(NamedTuple):
    """interactions: topics whose partitions belong to one shard each. forget: the topic of requests to forget.

    rerouted: the topic of events that came in another partition than that of their key.
    """

    interactions: frozenset[str]
    forget: str
    rerouted: str


def newest(states: Sequence[State]) -> int:
    """Return the shard that has read most facts, of several the one that has learned most events."""
    return max(
        range(len(states)),
        key=lambda n: (facts_read(states[n]), sum(states[n]["arms"]["full"]["learned"]), -n),
    )


def shard_states(
    states: Sequence[State], learner: Learner, plan: Plan, topics: Topics, ends: SharedEnds = NO_ENDS
) -> list[State]:
    """Return the states of the new shards' pipelines.

    states: of the old shards' pipelines, as this version writes them; they are not changed. learner: a new one of their
    config. ends: where the topics that shards share end now. Raises ValueError if the states do not belong together.
    """
    for name in EQUAL:
        if any(state[name] != states[0][name] for state in states):
            raise ValueError(f"the shards differ in their {name}")
    made = reshard([state["arms"] for state in states], learner, plan)
    windows = dealt_windows([state["dedup"] for state in states], made.dealt)
    shared = states[plan.base] | {
        "forgotten": _forgotten([state["forgotten"] for state in states]),
        "identity": _identity(states, plan.base),
        "store": _store(states, plan.base),
        "complete_offsets": all(state.get("complete_offsets", False) for state in states),
        "rescaled": True,  # each shard has a mark of its own in the store, so it will write everything again
        "alone": any(state.get("alone", False) for state in states),
    }
    shared.pop("shards", None)
    if plan.shards > 1:
        shared["shards"] = shared_places(states, plan.base, topics.interactions, ends)
    neighbours = neighbours_due(states, plan.base)
    out = []
    for shard, (arms, dealt) in enumerate(zip(made.states, made.dealt, strict=True)):
        marks = [state["marks"]["full"] for state in states]
        offsets = [[*place, n] for place, n in _offsets(states, plan, topics, shard).items()]
        if plan.shards > 1:
            offsets += rerouted_offsets(states, topics.rerouted, ends, shard, plan.shards)
        own = {
            "arms": arms,
            "outbox": {
                **_outbox(states, plan, shard),
                **lists_of(states, made, plan.base, shard),
                "neighbours": neighbours,
            },
            "dedup": windows[shard],
            "marks": states[plan.base]["marks"] | {"full": gathered(marks, dealt)},
            "offsets": sorted(offsets),
            "limits": _limits(states, plan, topics, shard),
        }
        out.append(shared | own)
    return out


# Places in the log


def _offsets(states: Sequence[State], plan: Plan, topics: Topics, shard: int) -> Offsets:
    """Return where a new shard goes on reading.

    Partitions of interactions: where their owner was. Requests to forget: where the last of all shards was, so that
    none is missed. Items: where the base was, because the items are the base's.
    """
    held: list[Offsets] = [{(t, p): offset for t, p, offset in state["offsets"]} for state in states]
    own_topics = topics.interactions | {topics.rerouted}
    found = {place: n for place, n in held[plan.base].items() if place[0] not in own_topics}
    for place in [place for place in found if place[0] == topics.forget]:
        if all(place in one for one in held):
            found[place] = min(one[place] for one in held)
        else:
            del found[place]
    for old, own in enumerate(held):
        found |= {
            place: offset
            for place, offset in own.items()
            if place[0] in topics.interactions
            and (place[1] % len(states), place[1] % plan.shards) == (old, shard)
        }
    return found


def _limits(states: Sequence[State], plan: Plan, topics: Topics, shard: int) -> list[Any]:
    """Return the windows of invalid records, of the partitions that a new shard reads."""
    found = [entry for entry in states[plan.base]["limits"] if entry[0] not in topics.interactions]
    for old, state in enumerate(states):
        found += [
            entry
            for entry in state["limits"]
            if entry[0] in topics.interactions
            and (entry[1] % len(states), entry[1] % plan.shards) == (old, shard)
        ]
    return sorted(found)


def _identity(states: Sequence[State], base: int) -> dict[str, str]:
    """Return what tells the log from another. Raises ValueError if the shards have read different logs."""
    own: dict[str, str] = states[base]["identity"]
    for state in states:
        other = {key for key, value in state["identity"].items() if own.get(key, value) != value}
        if other:
            raise ValueError(f"the shards have read different logs ({', '.join(sorted(other))} differ)")
        own = state["identity"] | own
    return own


# What is published, deduplicated, forgotten


def _store(states: Sequence[State], base: int) -> Any:
    """Return how the store is recognised; unknown if it lacked something for any shard."""
    known = [as_known(state["store"]) for state in states]
    if UNKNOWN in known or known[base] is None:
        return UNKNOWN if UNKNOWN in known else None
    marks: dict[str, int] = {}
    for one in known:
        for key, mark in ({} if one is None else one["marks"]).items():
            marks[key] = max(mark, marks.get(key, 0))
    return {**(known[base] or UNKNOWN), "marks": marks}


def _outbox(states: Sequence[State], plan: Plan, shard: int) -> State:
    """Return what a new shard has to publish: of its users, and all items that any shard had to."""
    queues = [state["outbox"] for state in states]

    def own(name: str) -> list[str]:
        return [
            user for old, queue in enumerate(queues) for user in queue[name] if plan.owner(old, user) == shard
        ]

    items = sorted({(domain, item) for queue in queues for domain, item in queue["items"]})
    return {
        "users": sorted(set(own("users"))),
        "items": [list(pair) for pair in items],
        "left": list(dict.fromkeys(own("left"))),
    }


def _forgotten(requests: Sequence[State]) -> State:
    """Return the requests to forget that all shards have carried out; the others are read again.

    Users who are to be searched for in the store by any shard are searched for by all.
    """
    times = [dict(zip(one["marks"], one["since"], strict=True)) for one in requests]
    common = [mark for mark in times[0] if all(mark in one for one in times)]
    return {
        "marks": common,
        "since": [min(one[mark] for one in times) for mark in common],
        "unswept": sorted({mark for one in requests for mark in one["unswept"]}.intersection(common)),
    }
