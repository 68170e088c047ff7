"""Make the states of M shards from the states of N: users are dealt out, the rest is one shard's, as all hold it alike.

A table with a row a user is known by its marks (`tables_of_users`). What names users or items in another way is named
in this file, once. Everything else is the base shard's: item statistics, catalogues, network, weights, decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from models.experiments.totals import joined
from models.learning.learner import Learner
from models.migration import users_items
from models.migration.item_rows import ItemRows, together
from models.migration.user_rows import (
    Dealt,
    Owner,
    State,
    at,
    deal,
    gathered,
    gathered_lists,
    ids,
    put,
    tables_of_users,
)
from models.network.network_learner import NetworkLearner

LEADER = 0
"""The shard that watches for drift and runs challengers, for all; see `ArmComparison`."""
ALIKE = ("domains", "roles", "rating_ranges")
"""What must be equal in all shards."""


class Plan(NamedTuple):
    """How users are dealt out. shards: number of the new ones. base: the old shard from which the rest is copied."""

    owner: Owner
    shards: int
    base: int = 0


class Resharded(NamedTuple):
    """States of the arms of the new shards. dealt: their users. items: where the rows of each old shard's items are."""

    states: list[State]
    dealt: list[Dealt]
    items: list[ItemRows]


def reshard(states: Sequence[State], learner: Learner, plan: Plan) -> Resharded:
    """Return the states of the arms of the new shards. The result shares arrays with the states and with itself.

    states: of the arms of the old shards, all as this version writes them. learner: a new one of their config, which
    tells what the tables are. Raises ValueError if the states are not of the same domains.
    """
    full = [state["full"] for state in states]
    for name in ALIKE:
        if any(state[name] != full[0][name] for state in full):
            raise ValueError(f"the shards differ in their {name}: {[state[name] for state in full]}")
    catalogues, items = together(full, plan.base)
    dealt = deal(full, plan.owner, plan.shards)
    made = []
    for shard, users in enumerate(dealt):
        own = _learner(full, learner, users, items, plan) | {"catalogues": catalogues}
        own["experiments"] = own["experiments"] | {"sums": _sums(full, shard)}
        own["evicted_users"] = [
            user
            for old, state in enumerate(full)
            for user in state["evicted_users"]
            if plan.owner(old, user) == shard
        ]
        loop = _loop([state["loop"] for state in states], plan, shard)
        made.append(states[plan.base] | {"full": own, "loop": loop})
    return Resharded(made, dealt, items)


def _sums(states: Sequence[State], shard: int) -> State:
    """Return the sums of experiments: those of all shards go on in one, because they hold no users."""
    return joined(state["experiments"]["sums"] for state in states) if shard == LEADER else {}


def _learner(
    states: Sequence[State], learner: Learner, dealt: Dealt, items: Sequence[ItemRows], plan: Plan
) -> State:
    """Return the state of a new shard's learner, with the base's catalogues. states: of learners."""
    made: State = dict(states[plan.base])
    for path, lists in tables_of_users(learner.live(), [learner.users.written]):
        tables = [at(state, path) for state in states]
        if tables[plan.base] is not None:
            own: Any = gathered_lists(tables, dealt) if lists else gathered(tables, dealt)
            made = put(made, path, own)
    histories = [state["history"] for state in states]
    made["history"] = made["history"] | users_items.rings(
        made["history"]["recent"], histories, dealt, items, plan.base
    )
    network = learner.network
    if isinstance(network, NetworkLearner):
        buffers = [state["network"]["buffer"] for state in states]
        replayed = users_items.replay(buffers, dealt, items, network.buffer.capacity)
        made["network"] = made["network"] | {"buffer": replayed}
    return made | users_items.waiting(states, dealt, items) | {"users": ids(states, dealt)}


def _loop(loops: Sequence[State | None], plan: Plan, shard: int) -> State | None:
    """Return the leader's adaptation loop. Biases of users in challengers come from their shards."""
    loop = loops[LEADER]
    if loop is None:
        return None
    running = {}
    for key, (action, challenger) in loop["running"].items():
        if "bias" in challenger:
            biases = [_bias_of(other, key, action) for other in loops]
            challenger = challenger | {"bias": _biases(biases, plan, shard)}  # noqa: PLW2901
        running[key] = [action, challenger]
    return loop | {"running": running}


def _bias_of(loop: State | None, key: str, action: str) -> State | None:
    """Return the biases of a shard's challenger; None if the shard does not run the same one."""
    held = None if loop is None else loop["running"].get(key)
    if held is None or held[0] != action:
        return None
    bias: State = held[1]["bias"]
    return bias


def user_of(name: str) -> str | None:
    """Return the user of a weight of the bias model, None for one of a domain, an item or a context.

    >>> user_of("user:ann"), user_of("user@domain:books:ann"), user_of("item:books:dune")
    ('ann', 'ann', None)
    """
    kind, _, rest = name.partition(":")
    if kind == "user":
        return rest
    return rest.partition(":")[2] if kind == "user@domain" else None


def _biases(tables: Sequence[State | None], plan: Plan, shard: int) -> State:
    """Return weights by name: those of no user from the leader, those of the new shard's users from their shards."""
    names, columns = list[str](), list[State]()
    for old, table in enumerate(tables):
        if table is None:
            continue
        wanted = []
        for name in table["names"]:
            user = user_of(name)
            wanted.append(old == LEADER if user is None else plan.owner(old, user) == shard)
        kept = np.array(wanted, np.bool_)
        names += [name for name, wants in zip(table["names"], wanted, strict=True) if wants]
        columns.append({key: column[kept] for key, column in table.items() if key != "names"})
    joined: dict[str, Any] = {key: np.concatenate([c[key] for c in columns]) for key in columns[0]}
    first = {name: n for n, name in reversed(list(enumerate(names)))}
    if len(first) < len(names):  # two shards knew a user
        rows = sorted(first.values())
        names, joined = [names[n] for n in rows], {key: column[rows] for key, column in joined.items()}
    return {"names": names, **joined}
