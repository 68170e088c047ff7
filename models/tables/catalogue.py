"""Keep the items of one domain by row: ids, titles, availability, text vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.state.given_state import taken
from models.state.growing import LEAST, room
from models.state.tracked_tables import Checkpointed, Rows, Texts
from models.tables.hash_index import HashIndex
from models.tables.id_table import IdTable
from models.text.centred_vectors import Directions


def item_hash(item_id: str) -> int:
    """Return a stable signed 64-bit hash of an item id. `History` keeps it for each item that a user has had."""
    digest = hashlib.blake2b(item_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def words_hash(words: str) -> int:
    """Return a stable signed 64-bit hash of an item's words, 0 without words."""
    return item_hash(words) if words.strip() else 0


def grown(array: NDArray[Any], rows: int, least: int = LEAST) -> NDArray[Any]:
    """Return `array`, (n, …), with at least `rows` rows: the same array, or a larger copy padded with zeros.

    least: rows of the smallest copy.

    >>> grown(np.array([1, 2]), 2).tolist(), len(grown(np.array([1, 2]), 3))  # room for 64 at least
    ([1, 2], 64)
    """
    if rows <= len(array):
        return array
    bigger = np.zeros((room(rows, len(array), least), *array.shape[1:]), array.dtype)
    bigger[: len(array)] = array
    return bigger


class Catalogue(Checkpointed):
    """The items of one domain. Arrays are valid up to `size`, and an unused row is never `recommendable`.

    vectors: (rows, dim) float32, zero where `has_vector` is False. `directions` are computed from them. required:
    whether only items with an item event are recommended. permitted: whether the operator's allow and deny lists let an
    id be recommended. exact_items: in a catalogue with more vectors, an index finds the nearest ones.
    """

    def __init__(
        self,
        capacity: int,
        dim: int,
        required: bool = False,
        permitted: Callable[[str], bool] = lambda _: True,
        exact_items: int = 200_000,
    ) -> None:
        self.ids = IdTable(capacity)
        self.dim = dim
        self.required = required
        self.exact_items = exact_items
        self.permitted = permitted
        self.id_of: list[str] = []
        self.title_of: list[str] = []
        self.tags_of: list[str] = []
        """(rows,): tags, separated by commas."""
        self.row_by_hash = HashIndex()
        self.hash_of = np.zeros(0, np.int64)
        """(rows,): `item_hash` of the id."""
        self.available = np.zeros(0, np.bool_)
        """(rows,): whether the latest item event calls the item available. Without one: whether none is required."""
        self.recommendable = np.zeros(0, np.bool_)
        """(rows,): available and permitted."""
        self.has_event = np.zeros(0, np.bool_)
        self.streamed = np.zeros(0, np.bool_)
        """Whether the stream has the item: an event of the stream named it, and none has removed it since.

        An item that the stream does not have may come from a file.
        """
        self.has_vector = np.zeros(0, np.bool_)
        self.words = np.zeros(0, np.int64)
        """(rows,): `words_hash` of the latest item event's words."""
        self.encoded = np.zeros(0, np.int64)
        """(rows,): `words_hash` of the words that the encoder has encoded last."""
        self.vectors = np.zeros((0, dim), np.float32)
        self.directions = Directions(dim, exact_items)

    @property
    def size(self) -> int:
        """The number of rows, including free ones."""
        return self.ids.high_water

    def touch(self, item_id: str) -> tuple[int, str | None]:
        """Return the item's row, a new one if it has none, and the id that was evicted from this row, or None."""
        known = item_id in self.ids
        row, evicted = self.ids.touch(item_id)
        if not known:
            if evicted is not None:
                self.row_by_hash.remove(item_hash(evicted))
            self._claim(row, item_id)
        return row, evicted

    def _claim(self, row: int, item_id: str) -> None:
        if row >= len(self.id_of):
            self.id_of.extend([""] * (row + 1 - len(self.id_of)))
            self.title_of.extend([""] * (row + 1 - len(self.title_of)))
            self.tags_of.extend([""] * (row + 1 - len(self.tags_of)))
        self.available = grown(self.available, row + 1)
        self.recommendable = grown(self.recommendable, row + 1)
        self.has_event = grown(self.has_event, row + 1)
        self.streamed = grown(self.streamed, row + 1)
        self.has_vector = grown(self.has_vector, row + 1)
        self.words = grown(self.words, row + 1)
        self.encoded = grown(self.encoded, row + 1)
        self.vectors = grown(self.vectors, row + 1)
        self.directions.grow(len(self.vectors))
        self.id_of[row], self.title_of[row], self.tags_of[row] = item_id, "", ""
        self.hash_of = grown(self.hash_of, row + 1)
        self.hash_of[row] = item_hash(item_id)
        self.row_by_hash.put(int(self.hash_of[row]), row)
        self.available[row] = not self.required
        self.recommendable[row] = self.available[row] and self.permitted(item_id)
        self.has_event[row] = self.streamed[row] = False
        self.words[row] = self.encoded[row] = 0
        if self.has_vector[row]:
            self.set_vector(row, None)

    def describe(self, row: int, title: str, available: bool, tags: Sequence[str] = ()) -> None:
        """Replace title, availability and tags by those of an item event."""
        self.title_of[row], self.available[row], self.has_event[row] = title, available, True
        self.tags_of[row] = ",".join(tags)
        self.recommendable[row] = available and self.permitted(self.id_of[row])

    def of_stream(self) -> list[str]:
        """Return the ids of the items that the stream has, by row."""
        return [self.id_of[row] for row in np.flatnonzero(self.streamed[: self.size]).tolist()]

    def set_vector(self, row: int, vector: NDArray[np.float32] | None) -> None:
        """Replace the item's vector, (dim,); None removes it."""
        self.ids.written.add(row)
        self.has_vector[row] = vector is not None
        self.vectors[row] = 0.0 if vector is None else vector
        self.directions.changed(np.array([row]), self.vectors, self.has_vector)

    def set_vectors(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Replace the vectors of distinct items, (n,) and (n, dim), as `set_vector` would one by one."""
        begin = 0
        while begin < len(rows):
            end = begin + self.directions.most
            some = rows[begin:end]
            self.ids.written.update(some.tolist())
            self.has_vector[some], self.vectors[some] = True, vectors[begin:end]
            self.directions.changed(some, self.vectors, self.has_vector)
            begin = end

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        n, written = self.size, self.ids.written
        arrays = ("available", "has_event", "streamed", "has_vector", "words", "encoded", "vectors")
        return {
            "ids": self.ids.live(),
            "id_of": Texts(written, self.id_of),
            "title_of": Texts(written, self.title_of),
            "tags_of": Texts(written, self.tags_of),
            **{name: Rows(written, getattr(self, name)[:n]) for name in arrays},
            "directions": self.directions.state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.ids.load(state["ids"])
        self.id_of, self.title_of = list(state["id_of"]), list(state["title_of"])
        self.tags_of = list(state.get("tags_of", [""] * len(self.id_of)))  # an early state has none
        for name in ("available", "has_event", "has_vector", "vectors"):
            setattr(self, name, taken(state[name]))
        for name, kind in (("words", np.int64), ("encoded", np.int64), ("streamed", np.bool_)):
            held = state.get(name)  # an early state has none; the next item event brings them
            setattr(self, name, np.zeros(len(self.vectors), kind) if held is None else taken(held))
        self.directions.load(state["directions"], self.vectors, self.has_vector)
        # The config may have changed since: `required`, and the allow and deny lists.
        self.available = np.where(self.has_event, self.available, not self.required)
        self.recommendable = self.available & np.array([self.permitted(i) for i in self.id_of], np.bool_)
        self.hash_of = np.array([item_hash(key) for key in self.id_of], np.int64)
        rows = np.array([row for _, row in self.ids.items()], np.int32)
        self.row_by_hash.fill(self.hash_of[rows], rows)
