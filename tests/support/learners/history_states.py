"""Write a state of users' histories in the early format, with a full ring for every user."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.tables.ring_tables import FIELDS
from models.tables.user_history import History


def early(history: History) -> dict[str, Any]:
    """Return the state as it was before rings grew with their use: event number e of a user at e modulo R."""
    state, length = history.state(), history.length
    recent, total = state.pop("recent"), state["events"].sum(1)
    dense = {name: np.zeros((len(total), length), recent[name].dtype) for name in FIELDS}
    at = 0
    for user, count in zip(recent["users"].tolist(), recent["lengths"].tolist(), strict=True):
        for number in range(total[user] - count, total[user]):
            for name in FIELDS:
                dense[name][user, number % length] = recent[name][at]
            at += 1
    old = {f"_{name}": table for name, table in dense.items()}
    numbered = {"events": state["events"].astype(np.int64), "sequence": state.pop("generation") - 1}
    return state | numbered | old
