"""Give rows to users and items, and let every table forget a row that gets another owner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.learning.items.item_intake import ItemIntake
from models.rating.model import RatingModel
from models.schema import Interaction
from models.tables.catalogue import Catalogue
from models.tables.id_table import IdTable


class RowTables(Protocol):
    """Tables with one row for each user or item."""

    def drop_user(self, row: int) -> None:
        """Forget the row: it is free, or stands for another user, from now on."""

    def drop_item(self, domain: int, row: int) -> None:
        """Forget the row: it is free, or stands for another item, from now on."""


class OneDomain(NamedTuple):
    """The tables of a rating model that knows one domain only."""

    domain: int
    model: RatingModel

    def drop_user(self, row: int) -> None:
        """See `RowTables`."""
        self.model.drop_user(row)

    def drop_item(self, domain: int, row: int) -> None:
        """See `RowTables`."""
        if domain == self.domain:
            self.model.drop_item(0, row)


class Rows(NamedTuple):
    """The rows of B events, (B,) each. new: whether the item had no row before."""

    domain: NDArray[np.int64]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    new: NDArray[np.bool_]


class ResidentRows:
    """The rows of users and items. If a table is full, the least recently seen id is evicted for a new one.

    evicted_users: ids of users that lost their row. evicted: (domain, item id, row) of items that lost their row. The
    publisher reads both and then calls `forget_evictions`.
    """

    def __init__(
        self, users: IdTable, catalogues: Sequence[Catalogue], intake: ItemIntake, tables: Sequence[RowTables]
    ) -> None:
        self.users, self.catalogues = users, catalogues
        self._intake, self._tables = intake, tables
        self.evicted_users: list[str] = []
        self.evicted: list[tuple[str, str, int]] = []

    def of(self, events: Sequence[Interaction]) -> Rows:
        """Return the rows of the users and items of events; give a row to each id without one."""
        index, users_seen = self._intake.index, self.users.seen
        items_seen = [catalogue.ids.seen for catalogue in self.catalogues]
        domains, users, items, new = list[int](), list[int](), list[int](), list[bool]()
        for event in events:
            domain = index[event.domain]
            item = items_seen[domain](event.item)
            domains.append(domain)
            new.append(item is None)
            items.append(self.item(domain, event.item) if item is None else item)
            user = users_seen(event.user)
            users.append(self.user(event.user) if user is None else user)
        return Rows(np.array(domains), np.array(users), np.array(items), np.array(new))

    def item(self, domain: int, item_id: str) -> int:
        """Return the item's row; give it one if it has none."""
        row, evicted = self.catalogues[domain].touch(item_id)
        if evicted is not None:
            for table in self._tables:
                table.drop_item(domain, row)
            self._intake.evicted(domain, row, evicted)
            self.evicted.append((self._intake.names[domain], evicted, row))
        return row

    def user(self, user_id: str) -> int:
        """Return the user's row; give them one if they have none."""
        row, evicted = self.users.touch(user_id)
        if evicted is not None:
            self._evicted(evicted, row)
        return row

    def evict_user(self) -> None:
        """Free the row of the least recently seen user."""
        self._evicted(*self.users.evict())

    def _evicted(self, user_id: str, row: int) -> None:
        self.evicted_users.append(user_id)
        self._drop_user(row)

    def _drop_user(self, row: int) -> None:
        for table in self._tables:
            table.drop_user(row)

    def forget_user(self, user_id: str) -> int | None:
        """Free the row of a user who asked to be forgotten. Return the row, or None if they had none."""
        self.evicted_users = [user for user in self.evicted_users if user != user_id]
        row = self.users.discard(user_id)
        if row is not None:
            self._drop_user(row)
        return row

    def forget_evictions(self) -> None:
        """Forget which ids lost their rows, because that is published."""
        self.evicted, self.evicted_users = [], []

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "evicted": [list(entry) for entry in self.evicted],
            "evicted_users": list(self.evicted_users),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state. The owner of the id tables loads these."""
        self.evicted = [(d, i, row) for d, i, row in state["evicted"]]
        self.evicted_users = list(state["evicted_users"])
