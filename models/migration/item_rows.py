"""Bring items of several shards together: one catalogue, and where the rows of each shard are in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.migration.user_rows import State

Index = NDArray[np.int64]


class ItemRows(NamedTuple):
    """New rows of one shard's items: by domain, the new row of each old row, -1 for a free one."""

    rows: list[Index]

    def of(self, domain: NDArray[Any], row: NDArray[Any]) -> Index:
        """Return the new rows of items, in the shape of `row`; -1 for an item that has none, and for domain -1."""
        new = np.full(row.shape, -1, np.int64)
        for d, rows in enumerate(self.rows):
            here = (domain == d) & (row >= 0) & (row < len(rows))
            new[here] = rows[row[here].astype(np.int64)]
        return new


def together(states: Sequence[State], base: int) -> tuple[list[State], list[ItemRows]]:
    """Return the base shard's catalogues with the items of all, and where each shard's rows are in them.

    states: of learners. An item that the base lacks comes as one that an event has just named: without title and
    vector. What its item event says is still to come, because the base goes on where it is in the topic of items.
    """
    catalogues = [dict(held) for held in states[base]["catalogues"]]
    translated: list[list[Index]] = [[] for _ in states]
    for domain, catalogue in enumerate(catalogues):
        known = dict(zip(catalogue["ids"]["ids"], catalogue["ids"]["rows"], strict=True))
        first = len(known) + len(catalogue["ids"]["free"])
        new: dict[str, int] = {}
        for shard, state in enumerate(states):
            own = state["catalogues"][domain]["ids"]
            rows = np.full(len(own["ids"]) + len(own["free"]), -1)
            for item, row in zip(own["ids"], own["rows"], strict=True):
                there = known.get(item)
                rows[row] = new.setdefault(item, first + len(new)) if there is None else there
            translated[shard].append(rows)
        if new:
            catalogues[domain] = _with(catalogue, new)
    return catalogues, [ItemRows(rows) for rows in translated]


def _with(catalogue: State, new: dict[str, int]) -> State:
    """Return a catalogue with more items, by new row, as the last that were seen."""
    held = catalogue["ids"]
    ids = {
        "ids": [*held["ids"], *new],
        "rows": [*held["rows"], *new.values()],
        "free": held["free"],
    }
    wider = {name: _longer(values, len(new)) for name, values in catalogue.items()}
    wider |= {"ids": ids, "id_of": [*catalogue["id_of"], *new]}
    directions = catalogue["directions"]
    # An index that lacks rows is filled when it is loaded.
    index = {name: held for name, held in directions["index"].items() if name not in ("list_of", "loose")}
    return wider | {"directions": directions | {"index": index}}


def _longer(values: Any, rows: int) -> Any:
    if isinstance(values, list):
        return [*values, *[""] * rows]
    if isinstance(values, np.ndarray):
        return np.concatenate([values, np.zeros((rows, *values.shape[1:]), values.dtype)])
    return values
