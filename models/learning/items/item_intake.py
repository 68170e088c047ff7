"""Take in item events and text vectors, and keep titles, availability and item vectors in the catalogues."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.schema import Item
from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import Checkpointed, Named
from models.tables.catalogue import Catalogue, words_hash
from models.text.projection import Key, Projection, Vectors, flat, unflat

Vector = NDArray[np.float32]


class Parts(NamedTuple):
    """The two parts of the vector of an item with vectors made elsewhere, (dim,) each.

    named: of the vectors made elsewhere. text: of its text, zero without text.
    """

    named: Vector
    text: Vector


class ItemIntake(Checkpointed):
    """The intake of item events and raw text vectors into the catalogues.

    When an item's words change, its old text vector stays until the encoder has the new one. Most edits are small, so
    an old vector is better than none.
    """

    def __init__(
        self,
        names: Sequence[str],
        catalogues: Sequence[Catalogue],
        leading: int,
        changed: Callable[[int, int], None],
    ) -> None:
        """Begin without items.

        names: of the domains. leading: the number of components on which users' tastes are learned. changed: called
        with domain and row when an item's vector is new or removed.
        """
        self.names, self.catalogues, self.changed = list(names), catalogues, changed
        self.index = {name: n for n, name in enumerate(names)}
        self.dim = catalogues[0].dim
        self.projection = Projection(self.dim, leading, names)
        self._parts: dict[str, Parts] = {}
        """The parts of items with vectors made elsewhere, by `flat` key."""
        self._parts_written = DirtyKeys()
        self._removed: list[set[int]] = [set() for _ in names]

    def removed(self, domain: int, row: int) -> bool:
        """Return whether the latest item event of the row's item removed it."""
        return row in self._removed[domain]

    def put(self, domain: int, row: int, item: Item, streamed: bool) -> bool:
        """Replace what is known of the item by an item event. Return whether its words have to be encoded.

        streamed: it came in the stream, not in a file.
        """
        catalogue = self.catalogues[domain]
        catalogue.streamed[row] = streamed and not item.removed
        catalogue.describe(row, item.title, item.available and not item.removed, item.tags)
        (self._removed[domain].add if item.removed else self._removed[domain].discard)(row)
        words = 0 if item.removed else words_hash(item.words())
        catalogue.words[row] = words
        if not words:
            self.projection.drop((item.domain, item.item_id))
            catalogue.encoded[row] = 0
        named = None if item.removed else self.projection.project_named(item.vectors)
        self._put_vector(domain, row, item.item_id, named, self._text(domain, row) if words else None)
        return bool(words) and words != catalogue.encoded[row]

    def put_text_vectors(self, vectors: Vectors, idle: bool, beside: bool = False) -> None:
        """Take in raw text vectors, (width,), by domain and item id.

        idle: the encoder has no more texts for now. beside: see `Projection.take`.
        """
        known = {key: raw for key, raw in vectors.items() if self._row(key) is not None}
        for key in known:
            catalogue, row = self.catalogues[self.index[key[0]]], self._row(key)
            catalogue.encoded[row] = catalogue.words[row]
            catalogue.ids.written.add(row)
        self._put_texts(self.projection.take(known, idle, beside))

    def follow_basis(self, basis: dict[str, Any]) -> None:
        """Project texts as another process does; see `Projection.follow`."""
        self._put_texts(self.projection.follow(basis))

    def _put_texts(self, projected: dict[Key, Vector]) -> None:
        changed = defaultdict[int, dict[int, Vector]](dict)
        for key, text in projected.items():
            domain, row = self.index[key[0]], self._row(key)
            if row is not None:
                held = self._parts.get(name := flat(key))
                vector = self._sum(name, None if held is None else held.named, text)
                if vector is not None and self._differs(domain, row, vector):
                    changed[domain][row] = vector
        for domain, vectors in changed.items():
            self.catalogues[domain].set_vectors(np.array(list(vectors)), np.stack(list(vectors.values())))
            for row in vectors:
                self.changed(domain, row)

    def evicted(self, domain: int, row: int, item_id: str) -> None:
        """Forget an item that has lost its row."""
        self._removed[domain].discard(row)
        key = (self.names[domain], item_id)
        self.projection.drop(key)
        self._drop_parts(flat(key))

    def _row(self, key: Key) -> int | None:
        return self.catalogues[self.index[key[0]]].ids.get(key[1])

    def _text(self, domain: int, row: int) -> Vector | None:
        """Return the text's part of the item's vector, None without text."""
        catalogue = self.catalogues[domain]
        if not catalogue.has_vector[row]:
            return None
        held = self._parts.get(flat((self.names[domain], catalogue.id_of[row])))
        if held is None:
            return np.array(catalogue.vectors[row])
        return held.text if held.text.any() else None

    def _put_vector(
        self, domain: int, row: int, item_id: str, named: Vector | None, text: Vector | None
    ) -> None:
        """Write the sum of both parts to the catalogue, if it differs from the present vector."""
        vector = self._sum(flat((self.names[domain], item_id)), named, text)
        if self._differs(domain, row, vector):
            self.catalogues[domain].set_vector(row, vector)
            self.changed(domain, row)

    def _sum(self, name: str, named: Vector | None, text: Vector | None) -> Vector | None:
        """Keep both parts of an item's vector where there are two, and return their sum; None without any.

        name: the item's `flat` key.
        """
        if named is None:
            self._drop_parts(name)
            return text
        rest = np.zeros(self.dim, np.float32) if text is None else text
        self._parts[name] = Parts(named, rest)
        self._parts_written.add(name)
        return named + rest

    def _differs(self, domain: int, row: int, vector: Vector | None) -> bool:
        """Return whether the item's present vector is another one."""
        catalogue = self.catalogues[domain]
        if vector is None or not catalogue.has_vector[row]:
            return (vector is not None) or bool(catalogue.has_vector[row])
        return not np.array_equal(vector, catalogue.vectors[row])

    def _drop_parts(self, name: str) -> None:
        if self._parts.pop(name, None) is not None:
            self._parts_written.drop(name)

    # State

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "projection": self.projection.live(),
            "item_parts": Named(self._parts_written, lambda: list(self._parts), self._part_columns),
            "removed": [sorted(rows) for rows in self._removed],
        }

    def _part_columns(self, names: list[str]) -> dict[str, NDArray[np.float32]]:
        parts = [self._parts[name] for name in names]
        empty = np.zeros((0, self.dim), np.float32)
        return {
            "vectors": np.stack([part.named for part in parts]) if parts else empty,
            "texts": np.stack([part.text for part in parts]) if parts else empty,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state. Load the catalogues first, because an early state has only the sums of the parts."""
        self.projection.load(state["projection"])
        held = state.get("item_parts") or state["named"]
        named, names = held["vectors"], held["names"]
        texts = held["texts"] if "texts" in held else self._texts(names, named)
        self._parts = {name: Parts(*both) for name, *both in zip(names, named, texts, strict=True)}
        self._parts_written.everything()
        self._removed = [set(rows) for rows in state["removed"]]

    def _texts(self, names: list[str], named: NDArray[np.float32]) -> list[Vector]:
        """Return the text parts: the vectors of the catalogues minus the named parts."""
        texts = []
        for name, vector in zip(names, named, strict=True):
            domain, item_id = unflat(name)
            catalogue = self.catalogues[self.index[domain]]
            row = catalogue.ids.get(item_id)
            # Without a text the sum is the named part itself, so the difference is exactly zero.
            texts.append(np.zeros_like(vector) if row is None else catalogue.vectors[row] - vector)
        return texts
