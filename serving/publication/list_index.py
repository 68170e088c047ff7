"""Keep which users' lists in the store hold an item, and when lists were written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from models.state.dirty_keys import DirtyKeys
from models.state.given_state import taken
from models.state.tracked_tables import Rows
from models.tables.catalogue import grown
from serving.publication.item_tags import ItemTags


class ListIndex:
    """The lists of all user rows, by domain. Times are seconds since the epoch, one for all lists of a user."""

    def __init__(self, domains: Sequence[str], top: int) -> None:
        self._tags = {name: ItemTags(top) for name in domains}
        self._written_at = np.zeros(0, np.float64)
        self._noted = DirtyKeys()
        """User rows of all tables."""

    def __len__(self) -> int:
        """Return how many places on lists hold a dropped item."""
        return sum(tags.waiting for tags in self._tags.values())

    def write(self, domain: str, user: int, items: Sequence[int], now: float) -> None:
        """Note that the store gets a list of these item rows for this user row."""
        if self._tags[domain].write(user, items):
            self._noted.everything()
        self._written_at = grown(self._written_at, user + 1)
        self._written_at[user] = now
        self._noted.add(user)

    def place(self, domain: str, user: int, item: int) -> int | None:
        """Return the place of an item row on the list that this user row has, 0 the best, -1 if it is not on it.

        None: the user has no list. item: -1 for an item without a row.
        """
        return self._tags[domain].place(user, item) if domain in self._tags else None

    def written_at(self, user: int) -> float:
        """Return when this row's lists were written last, 0 if they never were."""
        return float(self._written_at[user]) if user < len(self._written_at) else 0.0

    def drop_user(self, user: int) -> None:
        """Note that the store has no list for this user row any more."""
        for tags in self._tags.values():
            if user < len(tags.held):
                tags.write(user, ())
        self._written_at[user : user + 1] = 0.0
        self._noted.add(user)

    def drop_items(self, domain: str, items: Iterable[int]) -> None:
        """Note that these item rows must leave all lists of the domain, or stand for other items from now on."""
        if domain in self._tags:
            self._tags[domain].drop_items(items)

    def due(self, limit: int) -> tuple[str, list[int]] | None:
        """Return a domain, and up to `limit` user rows whose lists in it hold a dropped item; None if it found none.

        They are due until they are written, or their users are dropped. It goes on at the next call where it stopped.
        """
        name = max(self._tags, key=lambda one: self._tags[one].waiting, default=None)
        rows = [] if name is None else self._tags[name].due(limit)
        return None if name is None or not rows else (name, rows)

    def expiring(self, before: float, limit: int) -> list[int]:
        """Return up to `limit` user rows whose lists were written before that time, oldest first, each once."""
        old = np.flatnonzero((self._written_at > 0) & (self._written_at < before))
        if len(old) > limit:
            old = old[np.argpartition(self._written_at[old], limit)[:limit]]
        rows: list[int] = old[np.argsort(self._written_at[old], kind="stable")].tolist()
        self._written_at[rows] = 0.0
        self._noted.update(rows)
        return rows

    def live(self) -> dict[str, Any]:
        return {
            "on_lists": {name: Rows(self._noted, tags.held) for name, tags in self._tags.items()},
            "chains": {name: tags.tag_of for name, tags in self._tags.items()},
            "written_at": Rows(self._noted, self._written_at),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state. Lists of another length than the present one stay unknown."""
        for name, held in state["on_lists"].items():
            if name in self._tags and held.shape[1] == self._tags[name].top:
                self._tags[name].load(held, state.get("chains", {}).get(name))
        self._written_at = taken(state["written_at"])
        self._noted.everything()
