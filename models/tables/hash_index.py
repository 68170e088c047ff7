"""Find an item's row by the hash of its id, by open addressing in two flat arrays that kernels can read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel

LEAST = 64
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # Knuth's multiplicative hashing
SHIFT = np.uint64(20)
FREE = -1


@kernel
def place(keys: NDArray[np.int64], rows: NDArray[np.int32], key: int) -> Any:
    """Return the place of `key`, or the free place for it. keys, rows: (places,), a power of two."""
    mask = len(keys) - 1
    at = np.int64((np.uint64(key) * MULTIPLIER) >> SHIFT) & mask
    while rows[at] != FREE and keys[at] != key:
        at = (at + 1) & mask
    return at


@kernel
def row_of(keys: NDArray[np.int64], rows: NDArray[np.int32], key: int) -> Any:
    """Return the row of `key`, or -1. keys, rows: (places,)."""
    return rows[place(keys, rows, key)]


@kernel
def put(keys: NDArray[np.int64], rows: NDArray[np.int32], key: int, row: int) -> None:
    """Set the row of `key`. A place must be free. keys, rows: (places,)."""
    at = place(keys, rows, key)
    keys[at], rows[at] = key, row


@kernel
def remove(keys: NDArray[np.int64], rows: NDArray[np.int32], key: int) -> None:
    """Remove `key`, and move up entries that a search would no longer find behind the gap.

    keys, rows: (places,). Source: Knuth, "The art of computer programming", vol. 3, algorithm 6.4 R.
    """
    mask = len(keys) - 1
    gap = place(keys, rows, key)
    if rows[gap] == FREE:
        return
    rows[gap] = FREE
    at = (gap + 1) & mask
    while rows[at] != FREE:
        home = np.int64((np.uint64(keys[at]) * MULTIPLIER) >> SHIFT) & mask
        if ((at - home) & mask) >= ((at - gap) & mask):
            keys[gap], rows[gap] = keys[at], rows[at]
            rows[at] = FREE
            gap = at
        at = (at + 1) & mask


@kernel
def put_all(
    keys: NDArray[np.int64], rows: NDArray[np.int32], new: NDArray[np.int64], first: NDArray[np.int32]
) -> None:
    """Set the rows `first`, (n,), of the keys `new`, (n,)."""
    for n in range(len(new)):
        put(keys, rows, new[n], first[n])


@kernel
def get_all(
    keys: NDArray[np.int64], rows: NDArray[np.int32], wanted: NDArray[np.int64], out: NDArray[np.int64]
) -> None:
    """Write the row of each key, (n,), or -1."""
    for n in range(len(wanted)):
        out[n] = row_of(keys, rows, wanted[n])


class HashIndex:
    """Rows by 64-bit hash, in places of which at most half are used.

    >>> index = HashIndex()
    >>> index.put(-7, 3)
    >>> index.get(-7), index.get(8), len(index)
    (3, None, 1)
    """

    def __init__(self) -> None:
        self.keys = np.zeros(LEAST, np.int64)
        self.rows = np.full(LEAST, FREE, np.int32)
        self._held = 0

    def __len__(self) -> int:
        return self._held

    def get(self, key: int) -> int | None:
        """Return the row of a key, or None."""
        row = int(row_of(self.keys, self.rows, key))
        return None if row == FREE else row

    def get_all(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of each key, (n,), -1 for none."""
        found = np.empty(len(keys), np.int64)
        get_all(self.keys, self.rows, keys, found)
        return found

    def put(self, key: int, row: int) -> None:
        """Set the row of a key."""
        if self.get(key) is None:
            self._held += 1
            if 2 * self._held > len(self.keys):
                self._resize(2 * len(self.keys))
        put(self.keys, self.rows, key, row)

    def remove(self, key: int) -> None:
        """Remove a key, if it is there."""
        if self.get(key) is not None:
            self._held -= 1
            remove(self.keys, self.rows, key)

    def fill(self, keys: NDArray[np.int64], rows: NDArray[np.int32]) -> None:
        """Replace everything by these distinct keys and their rows, (n,) each."""
        self._held = len(keys)
        size = LEAST
        while size < 2 * len(keys):
            size *= 2
        self.keys, self.rows = np.zeros(size, np.int64), np.full(size, FREE, np.int32)
        put_all(self.keys, self.rows, keys, rows)

    def _resize(self, size: int) -> None:
        held = self.rows != FREE
        keys, rows = self.keys[held], self.rows[held]
        self.keys, self.rows = np.zeros(size, np.int64), np.full(size, FREE, np.int32)
        put_all(self.keys, self.rows, keys, rows)
