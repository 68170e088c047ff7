"""Deal out which items are on the lists of users in the store; see `serving.publication.item_chains`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.migration.item_rows import ItemRows
from models.migration.reshard import Resharded
from models.migration.user_rows import State, gathered

Chains = NDArray[np.int32]


def lists_of(states: Sequence[State], made: Resharded, base: int, shard: int) -> State:
    """Return the state of a new shard's `ListIndex`. states: of the old pipelines, the base's lists of all domains."""
    queues, dealt = [state["outbox"] for state in states], made.dealt[shard]
    domains = made.states[0]["full"]["domains"]
    on_lists, chains = {}, {}
    for name in queues[base]["on_lists"]:
        held, chain_of = _one_numbering(queues, made.items, (name, domains.index(name)), base)
        on_lists[name], chains[name] = gathered(held, dealt), chain_of
    written = gathered([queue["written_at"] for queue in queues], dealt)
    return {"on_lists": on_lists, "chains": chains, "written_at": written}


def _one_numbering(
    queues: Sequence[State], items: Sequence[ItemRows], domain: tuple[str, int], base: int
) -> tuple[list[Chains], Chains]:
    """Return all shards' lists with the same chain for the same item, and the chain of each item row of the base.

    A chain without an item, whose places wait to be rewritten, gets a number that no item has.
    """
    name, number = domain
    rows = 1 + max(int(one.rows[number].max(initial=-1)) for one in items)
    chain_of = np.zeros(max(rows, len(queues[base]["chains"][name])), np.int32)
    chain_of[: len(queues[base]["chains"][name])] = queues[base]["chains"][name]
    most = max(int(chain_of.max(initial=0)), int(queues[base]["on_lists"][name].max(initial=0)))
    held: list[Any] = []
    for shard, queue in enumerate(queues):
        lists, own = queue["on_lists"][name], queue["chains"][name]
        if shard == base:
            held.append(lists)
            continue
        new = np.zeros(1 + max(int(lists.max(initial=0)), int(own.max(initial=0))), np.int32)
        old_rows = np.flatnonzero(own)
        new_rows = items[shard].of(np.full(len(old_rows), number), old_rows)
        old_rows, new_rows = old_rows[new_rows >= 0], new_rows[new_rows >= 0]
        without = new_rows[chain_of[new_rows] == 0]
        chain_of[without] = most + 1 + np.arange(len(without))
        most += len(without)
        new[own[old_rows]] = chain_of[new_rows]
        used = np.unique(lists[lists > 0])
        ownerless = used[new[used] == 0]
        new[ownerless] = most + 1 + np.arange(len(ownerless))
        most += len(ownerless)
        held.append(new[lists])
    return held, chain_of
