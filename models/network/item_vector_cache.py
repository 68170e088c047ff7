"""Cache the item tower's output for every item of a domain, and refresh it step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.network.embedding_table import Array, Index, ItemTable
from models.network.numpy_scorer import NumpyScorer
from models.state.dirty_keys import DirtyKeys
from models.state.given_state import taken
from models.state.tracked_tables import Checkpointed, Rows
from models.tables.catalogue import Catalogue
from models.text.inverted_lists import VectorIndex
from models.text.nearest import Lists

REFRESH_ROWS = 2
"""Rows of a domain that are computed again for each learned event, on average. This bounds the cost of an event."""


class ItemVectors(Checkpointed):
    """The item tower's output for all catalogue rows of one domain.

    A step computes the touched rows again. It computes all rows again once `size / REFRESH_ROWS` events were learned
    since the last time. New and changed items are computed when they are read. The cache is part of the state, because
    a row may round differently when it is computed alone. The `index` follows the cache.
    """

    def __init__(self, domain: int, catalogue: Catalogue, scorer: NumpyScorer, rows: ItemTable) -> None:
        self._domain, self._catalogue, self._scorer, self._rows = domain, catalogue, scorer, rows
        self._values = np.zeros((0, rows.table.dim), np.float32)
        self._written = DirtyKeys()
        self._stale: set[int] = set()
        self._age = 0  # events learned since all were computed
        self.index = VectorIndex(rows.table.dim, catalogue.exact_items)

    def touch(self, row: int) -> None:
        """Compute this catalogue row again at the next read."""
        self._stale.add(row)

    def stepped(self, events: int, touched: Index) -> None:
        """Follow a step of the network. events: their number, in all domains. touched: (n,) items of this domain."""
        self._age += events
        self._stale.update(touched.tolist())
        if self._age * REFRESH_ROWS >= self._catalogue.size:
            self._values, self._age = self._values[:0], 0
        self.get()

    def get(self) -> Array:
        """Return the vectors, (catalogue size, D). Do not write to them."""
        known, size = len(self._values), self._catalogue.size
        if self._stale:
            due = np.array(sorted(row for row in self._stale if row < known), np.int64)
            self._values[due] = self._forward(due)
            self._written.update(due.tolist())
            self._stale.clear()
            self.index.drifted(due)
        if size > known:
            new = np.arange(known, size)
            self._values = np.concatenate([self._values, self._forward(new)])
            if known:
                self.index.changed(new)
                self._written.update(new.tolist())
            else:
                self._written.everything()
                self.index.all_changed(self._values)
        return self._values

    def lists(self) -> Lists:
        """Return the index of the vectors in the form that kernels search."""
        return self.index.lists(self.get(), self._catalogue.size)

    def of_text(self, text: Array | None) -> Array:
        """Return the vector, (D,), of an item without a row, from its text vector, (T,), or None without text."""
        if text is None:
            text = np.zeros(self._catalogue.dim, np.float32)
        no_row = np.zeros((1, self._rows.table.dim), np.float32)
        vector: Array = self._scorer.items(no_row, text[None], self._domain)[0]
        return vector

    def _forward(self, rows: Index) -> Array:
        learned = self._rows.table.rows(self._rows.find(self._domain, rows))
        return self._scorer.items(learned, self._catalogue.vectors[rows], self._domain)

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        stale = np.array(sorted(self._stale), np.int64)
        return {
            "_vectors": Rows(self._written, self._values),
            "stale": stale,
            "age": self._age,
            "index": self.index.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self._values, self._age = taken(state["_vectors"]), int(state["age"])
        self._written.everything()
        self._stale = set(state["stale"].tolist())
        self.index.load(state["index"], self._values)
