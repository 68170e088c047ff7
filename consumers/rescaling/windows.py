"""Join the windows of event ids that shards remember, and deal them out with their users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.migration.user_rows import Dealt, State
from models.tables.catalogue import item_hash

Hashes = NDArray[np.int64]


def joined(windows: Sequence[State]) -> State:
    """Return one window with all ids, oldest first. All windows count as equally old at their beginning."""
    events, users, ages = list[Any](), list[Any](), list[Any]()
    for window in windows:
        count = window["count"]
        for found, name in ((events, "events"), (users, "users")):
            found.append(np.roll(window[name][:count], -window["oldest"]))
        ages.append((np.arange(count) + 1) / max(count, 1))
    order = np.argsort(np.concatenate(ages), kind="stable")
    event, user = np.concatenate(events)[order], np.concatenate(users)[order]
    first = np.sort(np.unique(event, return_index=True)[1])
    return _window(event[first], user[first])


def dealt_windows(windows: Sequence[State], dealt: Sequence[Dealt]) -> list[State]:
    """Return the window of each new shard.

    An id goes with its user. Of a user without a row only a hash is known, so all shards get their ids.
    """
    whole = joined(windows)
    hashes = [np.array([item_hash(name) for name in one.ids], np.int64) for one in dealt]
    rowless = ~np.isin(whole["users"], np.concatenate(hashes))
    kept = [rowless | np.isin(whole["users"], own) for own in hashes]
    return [_window(whole["events"][here], whole["users"][here]) for here in kept]


def _window(events: Hashes, users: Hashes) -> State:
    return {"count": len(events), "oldest": 0, "events": events, "users": users}
