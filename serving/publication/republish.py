"""Publish again what a store that lost writes may lack, in small parts: the newest users and items first.

Each row of a user or an item remembers the mark (`serving.store.store_mark`) of its newest acknowledged write. If
the store holds everything up to some mark, only rows with a larger mark are due.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from models.arms.arm_comparison import ArmComparison
from models.tables.catalogue import grown
from models.tables.id_table import IdTable
from serving.contract import Keys
from serving.store.leftovers import Leftovers
from serving.store.store import Store

USERS_AT_ONCE = 256
ITEMS_AT_ONCE = 1024
LOOKS_AT_ONCE = 8_192
"""Rows that one round looks at; most of them may not be due."""


class Republish:
    """Finds what is due again. `users`, `items` and `leftovers` return the next part of each. One thread calls it."""

    def __init__(self, arms: ArmComparison, keys: Keys, looks_at_once: int = LOOKS_AT_ONCE) -> None:
        self._arms, self._keys = arms, keys
        self._users = _Rows(arms.full.users, looks_at_once)
        self._items = {
            name: _Rows(catalogue.ids, looks_at_once)
            for name, catalogue in zip(arms.full.index, arms.full.catalogues, strict=True)
        }
        self._scan: Leftovers | None = None
        self.active = False

    def __len__(self) -> int:
        """Return how many rows were not looked at yet, plus 1 while the store is being searched."""
        rows = len(self._users) + sum(map(len, self._items.values()))
        return rows + (self._scan is not None)

    def acknowledged(self, mark: int, keys: Iterable[str]) -> None:
        """Note that the store has taken the writes of these keys, with this mark."""
        users: list[str] = []
        items: dict[str, list[str]] = {}
        for key in keys:
            if (user := self._keys.owner(key)) is not None:
                users.append(user)
            elif (pair := self._keys.item_of(key)) is not None:
                items.setdefault(pair[0], []).append(pair[1])
        self._users.note(mark, users)
        for domain, names in items.items():
            if domain in self._items:
                self._items[domain].note(mark, names)

    def begin(self, since: int = 0, store: Store | None = None) -> None:
        """Begin with rows that were acknowledged with a larger mark than `since`; with 0, with all resident rows.

        store: it is searched for deleted keys that are there again.
        """
        for rows in (self._users, *self._items.values()):
            rows.begin(since, self.active)
        if self._scan is not None:
            self._scan.close()
        self._scan = None if store is None else Leftovers(store, self._keys)
        self.active = True

    def users(self) -> list[str]:
        """Return the next users that are due."""
        return self._users.some(USERS_AT_ONCE)

    def items(self) -> list[tuple[str, str]]:
        """Return the next items (domain, id) that are due and have something to publish."""
        found: list[tuple[str, str]] = []
        for (name, rows), catalogue in zip(self._items.items(), self._arms.full.catalogues, strict=True):
            if len(found) >= ITEMS_AT_ONCE:
                break
            for item in rows.some(ITEMS_AT_ONCE):
                row = catalogue.ids.get(item)
                if row is not None and (catalogue.has_event[row] or catalogue.recommendable[row]):
                    found.append((name, item))
        return found

    def leftovers(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Return users and items with keys in the store that should not be there."""
        if self._scan is None:
            return [], []
        full, users, items = self._arms.full, dict[str, None](), []
        for key in self._scan.take():
            if (user := self._keys.owner(key)) is not None:
                if user not in full.users:
                    users[user] = None
            elif (pair := self._keys.item_of(key)) is not None and pair[0] in full.index:
                catalogue = full.catalogues[full.index[pair[0]]]
                row = catalogue.ids.get(pair[1])
                if row is None or not (catalogue.has_event[row] or catalogue.recommendable[row]):
                    items.append(pair)
        if self._scan.done():
            self._scan = None
        return list(users), items

    def end_if_done(self) -> None:
        self.active = self.active and len(self) > 0


class _Rows:
    """The rows of one id table: the mark of each, and the ids still to look at, newest last."""

    def __init__(self, ids: IdTable, looks_at_once: int) -> None:
        self._ids, self._looks_at_once = ids, looks_at_once
        self._marks: NDArray[np.int64] = np.zeros(0, np.int64)
        """0: not written by this process."""
        self._waiting: list[str] = []
        self._since = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def note(self, mark: int, ids: Iterable[str]) -> None:
        rows = [row for one in ids if (row := self._ids.get(one)) is not None]
        if rows:
            self._marks = grown(self._marks, max(rows) + 1)
            self._marks[rows] = mark

    def begin(self, since: int, running: bool) -> None:
        """Begin with the newest ids. running: an earlier call is not done; its rows stay due."""
        self._since = min(since, self._since) if running else since
        self._waiting = self._ids.ids()

    def some(self, limit: int) -> list[str]:
        """Return about `limit` ids that are due."""
        due: list[str] = []
        for _ in range(0, self._looks_at_once, limit):
            if len(due) >= limit or not self._waiting:
                break
            newest = self._waiting[: -limit - 1 : -1]
            del self._waiting[-limit:]
            due += [one for one in newest if self._due(self._ids.get(one))]
        return due

    def _due(self, row: int | None) -> bool:
        if row is None or self._since == 0:
            return row is not None
        return row < len(self._marks) and bool(self._marks[row] > self._since)
