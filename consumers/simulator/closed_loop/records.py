"""Write what happens in a closed-loop world as records of the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from consumers.datasets.record import Sent
from consumers.simulator.closed_loop.world import World
from consumers.simulator.event_stream import item_id, user_id

CLICK_MS = 1_000
"""Time that a user spends on a place of the list before the next one."""


class Look(NamedTuple):
    """One user's look at one list. time: in impressions. rows, clicked: (n,) the items, the first at the top.

    list_ts, at_ms: when the list was published, and when the user saw it, Unix time in ms.
    """

    time: int
    user: int
    domain: int
    rows: NDArray[np.int64]
    clicked: NDArray[np.bool_]
    list_ts: int
    at_ms: int


def item_record(world: World, domain: int, row: int) -> Sent:
    """Return the record of an item."""
    name, (title, text) = world.domains[domain], world.items[domain].words[row]
    key = item_id(name, row)
    value = msgspec.json.encode({"item_id": key, "title": title, "text": text})
    return Sent("items", name, key.encode(), value)


def look_records(world: World, look: Look, prefix: str) -> Iterator[Sent]:
    """Yield the record of an impression, then those of its clicks. prefix: of the event ids of this run."""
    name, user = world.domains[look.domain], user_id(look.user)
    items = [item_id(name, row) for row in look.rows.tolist()]
    shown = f"{prefix}{look.time}"
    head = {"user_id": user, "event_id": shown, "timestamp": look.at_ms}
    impression = head | {"type": "impression", "items": items, "list_ts": look.list_ts}
    yield Sent("interactions", name, user.encode(), msgspec.json.encode(impression), look.at_ms)
    for place in np.flatnonzero(look.clicked).tolist():
        at = look.at_ms + CLICK_MS * place
        click = {
            "type": "click", "user_id": user, "item_id": items[place], "event_id": f"{shown}-{place}",
            "impression": shown, "timestamp": at,
        }  # fmt: skip
        yield Sent("interactions", name, user.encode(), msgspec.json.encode(click), at)
