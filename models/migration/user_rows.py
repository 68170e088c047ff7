"""Deal users out to new shards: which old row each new row is, and tables and lists by these rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import DirtyKeys
from models.state.flat_lists import flat_places
from models.state.tracked_tables import Ragged, Rows, parts

State = dict[str, Any]
Index = NDArray[np.int64]
Path = tuple[Any, ...]
Owner = Callable[[int, str], int]
"""Returns the new shard of a user, from the old shard that holds them and their id."""


class Dealt(NamedTuple):
    """The users of one new shard, by their new row. ids: (n,). shard, row: (n,) the old shard, and the row there."""

    ids: list[str]
    shard: Index
    row: Index

    def of(self, shard: int, rows: int) -> Index:
        """Return the new rows of an old shard's users, whose old row is below `rows`."""
        return np.flatnonzero((self.shard == shard) & (self.row < rows))

    def renumbered(self, shard: int, rows: int) -> Index:
        """Return the new row of each of the shard's old rows, (rows,), -1 for one that is not here."""
        new, here = np.full(rows, -1), self.of(shard, rows)
        new[self.row[here]] = here
        return new


def deal(states: Sequence[State], owner: Owner, count: int) -> list[Dealt]:
    """Return the users of each new shard. states: of learners.

    A user whom several old shards know, because producers did not agree about their partition, keeps the row with the
    most events.
    """
    best: dict[str, tuple[int, int, int]] = {}
    for shard, state in enumerate(states):
        events = state["history"]["events"].sum(1)
        for user, row in zip(state["users"]["ids"], state["users"]["rows"], strict=True):
            done = int(events[row]) if row < len(events) else 0
            if user not in best or best[user][0] < done:
                best[user] = done, shard, row
    found: list[list[tuple[int, int, str]]] = [[] for _ in range(count)]
    for user, (_, shard, row) in best.items():
        found[owner(shard, user)].append((shard, row, user))
    dealt = []
    for users in found:
        users.sort()
        places = np.array([user[:2] for user in users], np.int64).reshape(-1, 2)
        dealt.append(Dealt([user[2] for user in users], places[:, 0], places[:, 1]))
    return dealt


def ids(states: Sequence[State], dealt: Dealt) -> State:
    """Return the id table of a new shard: the order in which users were last seen stays."""
    times, rows = list[NDArray[np.float64]](), list[Index]()
    for shard, state in enumerate(states):
        new = dealt.renumbered(shard, len(state["users"]["ids"]) + len(state["users"]["free"]))
        order = np.array(state["users"]["rows"], np.int64)
        latest = _latest(state["history"])
        seen = np.zeros(len(order))
        held = order < len(latest)
        seen[held] = latest[order[held]]
        here = new[order] >= 0
        times.append(seen[here])
        rows.append(new[order[here]])
    at = np.concatenate(rows)[in_turn(times)].tolist()
    return {"ids": [dealt.ids[row] for row in at], "rows": at, "free": []}


def _latest(history: State) -> NDArray[np.float64]:
    """Return the time of each user's latest event, (user rows,), 0 for a user without events."""
    recent = history["recent"]
    latest = np.zeros(len(history["events"]))
    np.maximum.at(latest, np.repeat(recent["users"], recent["lengths"]), recent["time"])
    return latest


def in_turn(times: Sequence[NDArray[np.float64]]) -> Index:
    """Return places of the joined lists, so that they come by time, and each list keeps its own order.

    >>> in_turn([np.array([1.0, 5.0, 4.0]), np.array([2.0])]).tolist()
    [0, 3, 1, 2]
    """
    order: Index = np.argsort(np.concatenate([np.maximum.accumulate(t) for t in times]), kind="stable")
    return order


def gathered(tables: Sequence[NDArray[Any]], dealt: Dealt) -> NDArray[Any]:
    """Return a table by user row for a new shard. tables: of the old shards. Rows that were never written are zero."""
    out = np.zeros((len(dealt.ids), *tables[0].shape[1:]), tables[0].dtype)
    for shard, table in enumerate(tables):
        here = dealt.of(shard, len(table))
        out[here] = table[dealt.row[here]]
    return out


def gathered_lists(tables: Sequence[State], dealt: Dealt) -> State:
    """Return the lists of a new shard's users; see `Ragged.columns`. tables: of the old shards."""
    names = [name for name in tables[0] if name not in ("users", "lengths")]
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in ("users", "lengths", *names)}
    for shard, table in enumerate(tables):
        new = dealt.renumbered(shard, int(table["users"].max(initial=-1)) + 1)[table["users"]]
        begins = np.cumsum(table["lengths"]) - table["lengths"]
        kept = np.flatnonzero(new >= 0)
        found["users"].append(new[kept])
        found["lengths"].append(table["lengths"][kept])
        entries = flat_places(begins[kept], table["lengths"][kept])
        for name in names:
            found[name].append(table[name][entries])
    # New rows ascend with the old shard, then with the old row, as the lists do.
    return {name: np.concatenate(columns) for name, columns in found.items()}


def tables_of_users(live: Any, marks: Iterable[DirtyKeys]) -> list[tuple[Path, bool]]:
    """Return the path of each table with a row a user, and whether it holds lists.

    live: the live state of a learner, with the marks of its users' rows. Any table that shares these marks is found, so
    a new one is dealt out without being named here. All tables of lists are by user.
    """
    own = {id(one) for one in marks}
    return [
        (path, isinstance(part, Ragged))
        for path, part in parts(live)
        if isinstance(part, Ragged) or (isinstance(part, Rows) and id(part.touched) in own)
    ]


def at(tree: Any, path: Path) -> Any:
    """Return what lies at a path; None if nothing does."""
    for key in path:
        if isinstance(tree, list):
            tree = tree[key] if key < len(tree) else None
        else:
            tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def put(tree: Any, path: Path, value: Any) -> Any:
    """Return the tree with another value at a path. What is on the way there is copied, nothing else."""
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = put(copy[path[0]], path[1:], value)
    return copy
