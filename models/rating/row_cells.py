"""Store the weights of the rating model's biases: (weight, variance) pairs by the rows of users and items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from models.rating.domain_tables import stacked, widened
from models.rating.named_cells import VARIANCE, Cell, NamedCells
from models.state.dirty_keys import DirtyKeys
from models.state.given_state import taken
from models.state.tracked_tables import Rows
from models.tables.catalogue import grown

Place = tuple[str, tuple[int, ...]]
"""A field of `BiasArrays`, and an index into it."""


class Ids(Protocol):
    """What a table of ids must offer. An `IdTable` and a dict do."""

    def get(self, key: str, /) -> int | None:
        """Return the row of an id, or None if it has no row."""

    def items(self) -> Iterable[tuple[str, int]]:
        """Return every id with its row."""


class BiasArrays(NamedTuple):
    """Cells by row, for D domains. The last axis is (weight, variance).

    Functions under `@kernel` find fields by position, so a change here has to compile them again. The hash of their
    sources covers every file that contains that word: keep it here.
    """

    everywhere: NDArray[np.float64]
    """(1, 2)"""
    external: NDArray[np.float64]
    """(1, 2)"""
    domain: NDArray[np.float64]
    """(D, 2)"""
    external_domain: NDArray[np.float64]
    """(D, 2)"""
    user: NDArray[np.float32]
    """(users, 2)"""
    user_domain: NDArray[np.float32]
    """(users, D, 2)"""
    item: NDArray[np.float64]
    """(D, items, 2)"""
    named: NDArray[np.float64]
    """(slots, 2): of contexts."""


class RowCells:
    """Cells of domains, users and items by row, and of contexts by name; see `Cells` for the methods.

    The compiled loop reads and writes `arrays`. A name finds the same cell through the id tables.
    """

    def __init__(self, domains: Sequence[str], users: Ids, items: Sequence[Ids]) -> None:
        """Begin without weights. domains: names. users: table of user ids. items: one table of item ids a domain."""
        self.domains, self.users, self.items = list(domains), users, list(items)
        self.user_rows = DirtyKeys()
        self.item_rows = [DirtyKeys() for _ in domains]
        self.contexts = NamedCells()
        self._empty()

    def _empty(self) -> None:
        count = len(self.domains)
        self.sizes = [0] * count
        """The number of item rows in use, by domain."""
        self._tables = BiasArrays(
            everywhere=np.zeros((1, 2)),
            external=np.zeros((1, 2)),
            domain=np.zeros((count, 2)),
            external_domain=np.zeros((count, 2)),
            user=np.zeros((0, 2), np.float32),
            user_domain=np.zeros((0, count, 2), np.float32),
            item=np.zeros((count, 0, 2)),
            named=self.contexts.values,
        )

    @property
    def arrays(self) -> BiasArrays:
        """The present tables. Ask again after a table may have grown, because growth replaces the array."""
        return self._tables._replace(named=self.contexts.values)

    def reserve_users(self, rows: int) -> None:
        """Make room for this many users."""
        held = self._tables
        if rows > len(held.user):
            self._tables = held._replace(
                user=grown(held.user, rows), user_domain=grown(held.user_domain, rows)
            )

    def reserve_items(self, domain: int, rows: int) -> None:
        """Make room for this many items of the domain."""
        if rows > self.sizes[domain]:
            self._tables = self._tables._replace(item=widened(self._tables.item, self.sizes, rows))
            self.sizes[domain] = rows

    def _place(self, name: str) -> Place | None:  # noqa: PLR0911  one a kind
        """Return where the cell is, used or not; None if the id has no row.

        Raises ValueError for an unknown domain.
        """
        kind, _, rest = name.partition(":")
        domain, _, key = rest.partition(":")
        match kind:
            case "everywhere" | "external":
                return kind, (0,)
            case "domain":
                return "domain", (self.domains.index(rest),)
            case "external@domain":
                return "external_domain", (self.domains.index(rest),)
            case "user":
                row = self.users.get(rest)
                return None if row is None else ("user", (row,))
            case "user@domain":
                row = self.users.get(key)
                return None if row is None else ("user_domain", (row, self.domains.index(domain)))
            case "item":
                of = self.domains.index(domain)
                row = self.items[of].get(key)
                return None if row is None else ("item", (of, row))
        slot = self.contexts.slots.get(name)
        return None if slot is None else ("named", (slot,))

    def find(self, name: str) -> Cell | None:
        """Return the cell of a used weight, or None."""
        place = self._place(name)
        if place is None:
            return None
        table: NDArray[np.float64] = getattr(self.arrays, place[0])
        if any(n >= size for n, size in zip(place[1], table.shape, strict=False)):
            return None
        cell: Cell = table[place[1]]
        return cell if cell[VARIANCE] > 0.0 else None

    def claim(self, name: str) -> Cell:
        """Return the cell to write to, and mark it. Raises KeyError for an id without a row."""
        if name.startswith("context"):
            return self.contexts.claim(name)
        place = self._place(name)
        if place is None:
            raise KeyError(f"{name}: the id has no row")
        table, at = place
        if table in ("user", "user_domain"):
            self.reserve_users(at[0] + 1)
        elif table == "item":
            self.reserve_items(at[0], at[1] + 1)
        self._mark(table, at)
        cell: Cell = getattr(self._tables, table)[at]
        return cell

    def mark(self, name: str) -> None:
        """Mark a used cell as written."""
        place = self._place(name)
        if name.startswith("context"):
            self.contexts.mark(name)
        elif place is not None:
            self._mark(*place)

    def _mark(self, table: str, at: tuple[int, ...]) -> None:
        if table in ("user", "user_domain"):
            self.user_rows.add(at[0])
        elif table == "item":
            self.item_rows[at[0]].add(at[1])

    def forget(self, name: str) -> None:
        """Empty the cell if it is used."""
        cell = self.find(name)
        if cell is not None and name.startswith("context"):
            self.contexts.forget(name)
        elif cell is not None:
            cell[:] = 0.0
            self.mark(name)

    def drop_user(self, row: int) -> None:
        """Empty the cells of a user's row."""
        if row < len(self._tables.user):
            self._tables.user[row] = self._tables.user_domain[row] = 0.0

    def drop_item(self, domain: int, row: int) -> None:
        """Empty the cell of an item's row."""
        if row < self.sizes[domain]:
            self._tables.item[domain, row] = 0.0

    def names(self) -> list[str]:
        """Return the names of all used weights."""
        names = ["everywhere:", "external:"]
        names += [f"{kind}:{domain}" for kind in ("domain", "external@domain") for domain in self.domains]
        users = [user for user, _ in self.users.items()]
        names += [f"user:{user}" for user in users]
        names += [f"user@domain:{domain}:{user}" for domain in self.domains for user in users]
        for domain, items in zip(self.domains, self.items, strict=True):
            names += [f"item:{domain}:{item}" for item, _ in items.items()]
        return [*(name for name in names if self.find(name) is not None), *self.contexts.names()]

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        held = self._tables
        return {
            "everywhere": held.everywhere,
            "external": held.external,
            "domain": held.domain,
            "external@domain": held.external_domain,
            "user": Rows(self.user_rows, held.user),
            "user@domain": Rows(self.user_rows, held.user_domain),
            "item": [
                Rows(rows, held.item[n, :size])
                for n, (rows, size) in enumerate(zip(self.item_rows, self.sizes, strict=True))
            ],
            "context": self.contexts.live(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Replace every cell. The id tables must be loaded before a state that names its cells."""
        self._empty()
        if "names" in state:
            self._load_names(state)
            return
        self.contexts.load(state["context"])
        self.sizes = [len(item) for item in state["item"]]
        self._tables = BiasArrays(
            everywhere=state["everywhere"].copy(),
            external=state["external"].copy(),
            domain=state["domain"].copy(),
            external_domain=state["external@domain"].copy(),
            user=taken(state["user"], np.float32),
            user_domain=taken(state["user@domain"], np.float32),
            item=stacked(state["item"]),
            named=self.contexts.values,
        )

    def _load_names(self, state: dict[str, Any]) -> None:
        """Load a state of an earlier version, in which every weight had a name."""
        self.contexts = NamedCells()
        held = zip(state["names"], state["weights"].tolist(), state["variances"].tolist(), strict=True)
        for name, weight, variance in held:
            if name.startswith("context") or self._place(name) is not None:
                self.claim(name)[:] = weight, variance
