"""Learn embedding rows with one Adagrad sum a row, and with gradients for touched rows only."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.state.dirty_keys import DirtyKeys
from models.state.given_state import taken
from models.state.tracked_tables import Checkpointed, Rows
from models.tables.catalogue import grown
from models.tables.replay_buffer import at

Array = NDArray[np.float32]
Index = NDArray[np.int64]


class Table(Protocol):
    """What a training step needs of a table of embedding rows."""

    dim: int

    def rows(self, index: Index) -> Array:
        """Return (n, dim) for row numbers (n,)."""

    def descend(self, index: Index, gradient: Tensor | None, scale: float = 1.0) -> None:
        """Take one step on distinct rows (n,) along their gradients (n, dim), at `scale` times the rate."""


class ItemTable(Protocol):
    """What a training step needs of the embedding table of items."""

    @property
    def table(self) -> Table:
        """The rows."""

    def find(self, domain: int, rows: Index) -> Index:
        """Return table rows (n,) of catalogue rows (n,), -1 for an item without one."""


class Copy(Protocol):
    """A second version of a table, which is told of every change; see `copy_on_write_table.py`."""

    def copy_before_write(self, index: Index) -> None:
        """Copy these distinct rows, (n,), which are about to change."""

    def put(self, row: int, values: Array) -> None:
        """Follow `RowTable.put`."""

    def reset(self, row: int) -> None:
        """Follow `RowTable.reset`."""


class RowTable(Checkpointed):
    """Embedding rows with one Adagrad sum a row. The table grows up to `capacity`.

    Gradients come for touched rows, and a step writes only those rows.
    Row-wise Adagrad: s ← s + mean(g²), row ← row - η g / (√s + ε)  (Duchi 2011; torchrec's rowwise variant).

    >>> import torch
    >>> table = RowTable(capacity=10, dim=2, rate=0.1, written=DirtyKeys())
    >>> table.reserve(1)
    >>> table.descend(np.array([0]), torch.tensor([[3.0, 4.0]]))  # mean(g²) = 12.5
    >>> print(table.values[0].round(4))
    [-0.0849 -0.1131]
    """

    def __init__(self, capacity: int, dim: int, rate: float, written: DirtyKeys) -> None:
        self.capacity, self.dim, self.rate = capacity, dim, rate
        self.values = np.zeros((0, dim), np.float32)
        self.sums = np.zeros(0, np.float32)
        self._written = written
        self._copy: Copy | None = None
        self._unpublished: set[int] | None = None
        """Rows written since they were last published; None if nobody publishes them."""

    def publish(self) -> None:
        """Note from now on which rows are written, for `take_unpublished`. At first all count as written."""
        self._unpublished = set(range(len(self.values)))

    def take_unpublished(self) -> Index:
        """Return the rows written since the last call, ascending, and count them as published."""
        taken, self._unpublished = self._unpublished or set(), set()
        return np.array(sorted(taken), np.int64)

    def _mark(self, rows: list[int]) -> None:
        self._written.update(rows)
        if self._unpublished is not None:
            self._unpublished.update(rows)

    def attach(self, copy: Copy) -> None:
        """Tell this second version of every change from now on."""
        self._copy = copy

    def detach(self) -> None:
        """Stop telling the second version of changes."""
        self._copy = None

    def reserve(self, rows: int) -> None:
        """Make rows 0 … rows-1 exist; new ones are zero. Raises ValueError beyond the capacity."""
        if rows > self.capacity:
            raise ValueError(f"row {rows - 1} is beyond the table's capacity {self.capacity}")
        self.values, self.sums = (grown(a, rows)[: self.capacity] for a in (self.values, self.sums))

    def put(self, row: int, values: Array) -> None:
        """Begin a row with `values`, (dim - 1,), and 0 as the last component."""
        self._mark([row])
        self.values[row, :-1] = values
        if self._copy is not None:
            self._copy.put(row, values)

    def reset(self, row: int) -> None:
        """Set a row and its Adagrad sum to zero."""
        if row < len(self.values):
            self._mark([row])
            self.values[row] = self.sums[row] = 0.0
            if self._copy is not None:
                self._copy.reset(row)

    def rows(self, index: Index) -> Array:
        """Return (n, dim) for row numbers (n,). A row that does not exist, such as -1, is zero."""
        out = np.zeros((len(index), self.dim), np.float32)
        known = (index >= 0) & (index < len(self.values))
        out[known] = self.values[index[known]]
        return out

    def descend(self, index: Index, gradient: Tensor | None, scale: float = 1.0) -> None:
        """Take one Adagrad step on distinct rows (n,), at `scale` times the rate, without -1.

        gradient: (n, dim), or None if no row took part.
        """
        if gradient is None:
            return
        real = index >= 0
        index, g = index[real], gradient.numpy()[real]
        if self._copy is not None:
            self._copy.copy_before_write(index)
        self._mark(index.tolist())
        sums = self.sums[index] + np.einsum("nd,nd->n", g, g) / np.float32(self.dim)
        self.sums[index] = sums
        self.values[index] -= (scale * self.rate / (np.sqrt(sums) + 1e-8))[:, None] * g

    def replace(self, index: Index, values: Array, sums: Array) -> None:
        """Set the values (n, dim) and the sums (n,) of distinct rows (n,)."""
        self.values[index], self.sums[index] = values, sums
        self._mark(index.tolist())

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {"values": Rows(self._written, self.values), "sums": Rows(self._written, self.sums)}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.values, self.sums = taken(state["values"]), taken(state["sums"])
        self._written.everything()
        if self._unpublished is not None:
            self.publish()


class ItemRows(Checkpointed):
    """One table of embedding rows for the items of all domains. An item gets a row when it is first learned."""

    def __init__(self, capacities: list[int], dim: int, rate: float) -> None:
        self.table = RowTable(sum(capacities), dim, rate, DirtyKeys())
        self._row = [np.zeros(0, np.int64) for _ in capacities]
        """By domain and catalogue row: 1 + the table's row, or 0 for none."""
        self._free: list[int] = []
        self._used = 0

    def find(self, domain: int, rows: Index) -> Index:
        """Return table rows (n,) of catalogue rows (n,), -1 for an item without one, which its text represents."""
        return np.asarray(at(self._row[domain], rows) - 1)

    def admit(self, domain: int, rows: Index, rng: np.random.Generator) -> None:
        """Give small random rows with popularity 0 to items without one. They are random, or they would stay equal.

        rows: (n,) of the catalogue.
        """
        self._row[domain] = grown(self._row[domain], int(rows.max()) + 1)
        for row in np.unique(rows[self._row[domain][rows] == 0]):
            new = self._free.pop() if self._free else self._used
            self._used = max(self._used, new + 1)
            self.table.reserve(self._used)
            scale, values = 0.1 / self.table.dim**0.5, rng.standard_normal(self.table.dim - 1)
            self.table.put(new, (scale * values).astype(np.float32))
            self._row[domain][row] = new + 1

    def drop(self, domain: int, row: int) -> None:
        """Free the item's table row, if it has one. row: of the catalogue."""
        if row < len(self._row[domain]) and self._row[domain][row]:
            old = int(self._row[domain][row]) - 1
            self.table.reset(old)
            self._free.append(old)
            self._row[domain][row] = 0

    @property
    def used(self) -> int:
        """The number of rows of the table that were ever given out."""
        return self._used

    def owners(self) -> tuple[Index, Index]:
        """Return domain and catalogue row of each of the `used` rows, (used,) each; -1 for a free one."""
        domain, row = np.full(self._used, -1, np.int64), np.full(self._used, -1, np.int64)
        for d, held in enumerate(self._row):
            here = np.flatnonzero(held)
            domain[held[here] - 1], row[held[here] - 1] = d, here
        return domain, row

    def follow(self, index: Index, values: Array) -> list[Index]:
        """Take over distinct rows, (n,) and (n, dim), of another process's table, by its numbers. They have no owner.

        Return for each domain the rows of the catalogue that lose theirs. `own` gives them owners.
        """
        self._used = max(self._used, int(index.max()) + 1)
        self.table.capacity = max(self.table.capacity, self._used)
        self.table.reserve(self._used)
        self.table.replace(index, values, np.zeros(len(index), np.float32))
        taken = np.zeros(self._used + 1, np.bool_)
        taken[index + 1] = True
        lost = [np.flatnonzero(taken[held]) for held in self._row]
        for held, rows in zip(self._row, lost, strict=True):
            held[rows] = 0
        return lost

    def own(self, domain: int, rows: Index, index: Index) -> None:
        """Give table rows, (n,), that `follow` has taken over to rows of a catalogue, (n,)."""
        self._row[domain] = grown(self._row[domain], int(rows.max()) + 1)
        self._row[domain][rows] = index + 1

    def free_ownerless(self) -> None:
        """Free all rows without an owner: while another process's rows were followed, none was freed or given out."""
        self._free = np.flatnonzero(self.owners()[0] < 0).tolist()
        for row in self._free:
            self.table.reset(row)

    def disown(self, domain: int, row: int) -> None:
        """Let a row of a catalogue have no row of the table, which stays as the other process has it."""
        if row < len(self._row[domain]):
            self._row[domain][row] = 0

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "table": self.table.live(),
            "row": {str(d): row for d, row in enumerate(self._row)},
            "free": np.array(self._free, np.int64),
            "used": self._used,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.table.load(state["table"])
        self._row = [state["row"][str(d)].copy() for d in range(len(self._row))]
        self._free, self._used = state["free"].tolist(), int(state["used"])
        # Free rows of a domain that has left the config count too.
        self.table.capacity = max(self.table.capacity, self._used)
