"""Keep slopes of the users who chose something in a domain: a row of half-precision numbers for each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.state.dirty_keys import DirtyKeys
from models.state.given_state import taken
from models.state.tracked_tables import Ragged
from models.tables.catalogue import grown

Index = NDArray[np.int64]
Halves = NDArray[np.uint16]


class UserSlopes:
    """For each user with a row: a slope for each signal, and the sums of their squared gradients.

    Memory: 4 bytes a user, and 4 bytes a signal of a user with a row.
    """

    def __init__(self, signals: int) -> None:
        self.row_of = np.zeros(0, np.int32)
        """(users,): row + 1; 0 for a user without one."""
        self.values: Halves = np.zeros((0, 2, signals), np.uint16)
        """(rows, 2, signals): see `half_floats`."""
        self._free: list[int] = []
        self._rows = 0

    def of(self, user: int) -> NDArray[np.float32]:
        """Return the user's slopes, and the sums of their squared gradients, (2, signals)."""
        row = int(self.row_of[user]) if user < len(self.row_of) else 0
        values = self.values[row - 1] if row else np.zeros(self.values.shape[1:], np.uint16)
        return values.view(np.float16).astype(np.float32)

    def make_room(self, users: Index) -> None:
        """Give each of these users a row, (n,)."""
        if not len(users):
            return
        self.row_of = grown(self.row_of, int(users.max()) + 1)
        new = users[self.row_of[users] == 0].tolist()
        for user in new:
            if self.row_of[user]:
                continue  # it is there twice
            if self._free:
                row = self._free.pop()
            else:
                row, self._rows = self._rows, self._rows + 1
            self.row_of[user] = row + 1
        if new:
            self.values = grown(self.values, self._rows)

    def drop(self, user: int) -> None:
        """Take the user's row away."""
        row = int(self.row_of[user]) if user < len(self.row_of) else 0
        if row:
            self.values[row - 1] = 0
            self.row_of[user] = 0
            self._free.append(row - 1)

    def live(self, written: DirtyKeys) -> Ragged:
        """Return what `load` takes. written: dirty user rows."""
        return Ragged(written, lambda: np.flatnonzero(self.row_of), self._columns, lambda: self.values.nbytes)

    def _columns(self, users: Index) -> dict[str, NDArray[Any]]:
        users = users[users < len(self.row_of)]
        users = users[self.row_of[users] > 0]
        return {
            "users": users,
            "lengths": np.ones(len(users), np.int64),
            "values": self.values[self.row_of[users] - 1],
        }

    def load(self, users: Index, values: Halves) -> None:
        """Replace all rows by those of these users, (n,) and (n, 2, signals)."""
        self.row_of = grown(np.zeros(0, np.int32), int(users.max(initial=-1)) + 1)
        self.row_of[users] = np.arange(1, len(users) + 1)
        self.values, self._rows, self._free = taken(values), len(users), []
