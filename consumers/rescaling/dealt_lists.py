"""Deal out which items are on the lists of users in the store; see `serving.publication.item_tags`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.migration.item_rows import ItemRows
from models.migration.reshard import Resharded
from models.migration.user_rows import State, gathered

Tags = NDArray[Any]


def lists_of(states: Sequence[State], made: Resharded, base: int, shard: int) -> State:
    """Return the state of a new shard's `ListIndex`. states: of the old pipelines, the base's lists of all domains."""
    queues, dealt = [state["outbox"] for state in states], made.dealt[shard]
    domains = made.states[0]["full"]["domains"]
    on_lists, tags = {}, {}
    for name in queues[base]["on_lists"]:
        held, tag_of = _one_numbering(queues, made.items, (name, domains.index(name)), base)
        on_lists[name], tags[name] = gathered(held, dealt), tag_of
    written = gathered([queue["written_at"] for queue in queues], dealt)
    return {"on_lists": on_lists, "chains": tags, "written_at": written}


def _one_numbering(
    queues: Sequence[State], items: Sequence[ItemRows], domain: tuple[str, int], base: int
) -> tuple[list[Tags], Tags]:
    """Return all shards' lists with the same tag for the same item, and the tag of each item row of the base.

    A tag without an item, whose places wait to be rewritten, gets a number that no item has.
    """
    name, number = domain
    rows = 1 + max(int(one.rows[number].max(initial=-1)) for one in items)
    tag_of = np.zeros(max(rows, len(queues[base]["chains"][name])), np.int32)
    tag_of[: len(queues[base]["chains"][name])] = queues[base]["chains"][name]
    most = max(int(tag_of.max(initial=0)), int(queues[base]["on_lists"][name].max(initial=0)))
    held: list[Any] = []
    for shard, queue in enumerate(queues):
        lists, own = queue["on_lists"][name], queue["chains"][name]
        if shard == base:
            held.append(lists)
            continue
        new = np.zeros(1 + max(int(lists.max(initial=0)), int(own.max(initial=0))), np.uint32)
        old_rows = np.flatnonzero(own)
        new_rows = items[shard].of(np.full(len(old_rows), number), old_rows)
        old_rows, new_rows = old_rows[new_rows >= 0], new_rows[new_rows >= 0]
        without = new_rows[tag_of[new_rows] == 0]
        tag_of[without] = most + 1 + np.arange(len(without))
        most += len(without)
        new[own[old_rows]] = tag_of[new_rows]
        used = np.unique(lists[lists > 0])
        ownerless = used[new[used] == 0]
        new[ownerless] = most + 1 + np.arange(len(ownerless))
        most += len(ownerless)
        held.append(new[lists])
    width = np.uint16 if most <= np.iinfo(np.uint16).max else np.uint32
    return [lists.astype(width) for lists in held], tag_of


def neighbours_due(states: Sequence[State], base: int) -> State:
    """Return the neighbours' part of what is published: none is known, and all that were in the store are due.

    Each new shard keeps the items that are its own, and finds their neighbours again.
    """
    queues = [state["outbox"]["neighbours"] for state in states]
    due = {(domain, item) for queue in queues for domain, item in queue["due"]}
    for state, queue in zip(states, queues, strict=True):
        full = state["arms"]["full"]
        for name, index in queue["indexes"].items():
            id_of = full["catalogues"][full["domains"].index(name)]["id_of"]
            rows = np.flatnonzero(index["written_at"])
            due |= {(name, id_of[row]) for row in rows[rows < len(id_of)].tolist() if id_of[row]}
    empty = {
        name: {
            "on_lists": {one: held[:0] for one, held in index["on_lists"].items()},
            "chains": {one: held[:0] for one, held in index["chains"].items()},
            "written_at": index["written_at"][:0],
        }
        for name, index in queues[base]["indexes"].items()
    }
    return {"due": [list(pair) for pair in sorted(due)], "indexes": empty}
