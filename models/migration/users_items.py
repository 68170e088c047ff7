"""Deal out what refers to users and items by row: latest items, replayed events, events that wait for the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.migration.item_rows import Index, ItemRows
from models.migration.user_rows import Dealt, State, in_turn
from models.tables.user_history import generation

Events = dict[str, NDArray[Any]]
"""Columns `domain`, `user`, `item`, `residual`, `time` (n,) and `recent` (n, L, 3)."""

COLUMNS = ("domain", "user", "item", "residual", "time")
"""Of an event that waits for the network, in the order of its list."""


def rings(
    recent: State, histories: Sequence[State], dealt: Dealt, items: Sequence[ItemRows], base: int
) -> State:
    """Return the changed parts of a new shard's `History`: users' latest items, and its generation.

    recent: of the new shard's users, with items by the rows of their old shards. histories: of these. The base's
    entries stay. An entry of another shard whose item has lost its row there keeps its place and has no domain, and
    each other gets a generation in which its item has its row here.
    """
    domain, row, number = (recent[name].copy() for name in ("domain", "row", "seq"))
    born, last = histories[base]["born"], max(generation(history) for history in histories)
    origin = np.repeat(dealt.shard[recent["users"]], recent["lengths"])
    for shard, history in enumerate(histories):
        here = np.flatnonzero(origin == shard)
        if shard == base or not len(here):
            continue
        old = domain[here], row[here]
        there = items[shard].of(*old)
        there[number[here] < _born(history["born"], *old)] = -1
        number[here] = np.maximum(number[here], _born(born, old[0], there))
        domain[here], row[here] = np.where(there >= 0, old[0], -1), np.maximum(there, 0)
        last = max(last, int(number[here].max()))
    return {"recent": recent | {"domain": domain, "row": row, "seq": number}, "generation": last}


def _born(born: State, domain: NDArray[Any], row: NDArray[Any]) -> Index:
    """Return the generation from which each item has its row, in the shape of `row`; 0 if from the beginning."""
    first = np.zeros(row.shape, np.int64)
    for name, numbers in born.items():
        here = (domain == int(name)) & (row >= 0) & (row < len(numbers))
        first[here] = numbers[row[here].astype(np.int64)]
    return first


def replay(buffers: Sequence[State], dealt: Dealt, items: Sequence[ItemRows], most: int) -> State:
    """Return a new shard's `ReplayBuffer`: the events of its users, by time, the latest `most`.

    What counts no more is left out.
    """
    kept = []
    for shard, buffer in enumerate(buffers):
        events, held = buffer["events"], len(buffer["events"]["user"])
        number = np.arange(held)
        if held:
            number = buffer["added"] - 1 - (buffer["added"] - 1 - number) % held
        oldest_first = np.argsort(number)
        events = {name: column[oldest_first] for name, column in events.items()}
        number = number[oldest_first]
        users = buffer["user_born"]
        owner = np.where(number >= _from(users, events["user"]), events["user"], -1)
        item_born = buffer["item_born"]
        gone = number < _born(item_born, events["domain"], events["item"])
        events = events | {"item": np.where(gone, -1, events["item"])}
        recent = events["recent"].copy()
        lost = number[:, None] < _born(item_born, recent[..., 0], recent[..., 1])
        recent[lost, 0] = -1.0
        kept.append(moved(events | {"user": owner, "recent": recent}, shard, dealt, items[shard]))
    joined = {name: column[-most:] for name, column in in_order(kept).items()}
    return {
        "added": len(joined["user"]),
        "events": joined,
        "user_born": np.zeros(0, np.int64),
        "item_born": {name: np.zeros(0, np.int64) for name in buffers[0]["item_born"]},
    }


def _from(first: Index, rows: Index) -> Index:
    found = np.zeros(len(rows), np.int64)
    held = rows < len(first)
    found[held] = first[rows[held]]
    return found


def waiting(states: Sequence[State], dealt: Dealt, items: Sequence[ItemRows]) -> State:
    """Return a new shard's `PendingBatch`. states: of learners."""
    kept = []
    for shard, state in enumerate(states):
        if state["slow"]:
            columns = zip(COLUMNS, zip(*state["slow"], strict=True), strict=True)
            events = {name: np.array(column) for name, column in columns}
            events["recent"] = np.array(state["slow_recent"])
            kept.append(moved(events, shard, dealt, items[shard]))
    joined = in_order(kept) if kept else {}
    if not joined or not len(joined["user"]):
        return {"slow": [], "slow_recent": None}
    recent = joined.pop("recent")
    rows = zip(*(column.tolist() for column in joined.values()), strict=True)
    return {"slow": [list(row) for row in rows], "slow_recent": recent}


def moved(events: Events, shard: int, dealt: Dealt, items: ItemRows) -> Events:
    """Return the events of an old shard whose user is dealt out here and whose item has a row, by new rows."""
    users = dealt.renumbered(shard, int(events["user"].max(initial=-1)) + 1)
    user = np.append(users, -1)[events["user"]]
    item, recent = items.of(events["domain"], events["item"]), events["recent"].copy()
    near = items.of(recent[..., 0], recent[..., 1])
    recent[..., 1] = np.where(near >= 0, near, recent[..., 1])
    recent[..., 0] = np.where(near >= 0, recent[..., 0], -1.0)
    kept = (user >= 0) & (item >= 0)
    columns = events | {"user": user, "item": item, "recent": recent}
    return {name: column[kept] for name, column in columns.items()}


def in_order(several: Sequence[Events]) -> Events:
    """Return all events by time; those of one shard keep their order."""
    order = in_turn([events["time"] for events in several])
    return {name: np.concatenate([events[name] for events in several])[order] for name in several[0]}
