"""Give a state the text vectors of another encoder: forget all of the old one, take in the new, carry over the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arms.arm_comparison import ArmComparison
from models.migration.text_space import TextMap, carried, fit_map
from models.rating.model import TASTE_WIDTH
from models.tables.catalogue import words_hash
from models.text.projection import Key, flat

State = dict[str, Any]
Vectors = NDArray[np.float32]


class HeldItem(NamedTuple):
    """An item with text. title: what the state knows of the text; the rest is not in it."""

    key: Key
    title: str


class TextChange:
    """The change of one state. Call `put` for all vectors of the new encoder, then `finish`.

    Old vectors are kept aside to fit the map on, and nowhere else: the learner starts without any vector of text, with
    a new basis, and takes in the new ones as it takes in those of new items.
    """

    def __init__(self, arms: ArmComparison) -> None:
        """arms: with the old state. They hold the new one after `finish`."""
        self.arms = arms
        held = arms.state()
        self._old = [(part["vectors"], part["has_vector"]) for part in held["full"]["catalogues"]]
        fresh = ArmComparison(arms.full.domains, arms.settings).state()["full"]
        arms.load(held | {"full": without_text(held["full"], fresh)})

    def items(self) -> list[HeldItem]:
        """Return the items that had text."""
        full, found = self.arms.full, list[HeldItem]()
        for name, catalogue, (_, known) in zip(full.index, full.catalogues, self._old, strict=True):
            for item_id, row in catalogue.ids.items():
                if catalogue.words[row] or known[row]:
                    found.append(HeldItem((name, item_id), catalogue.title_of[row]))
        return found

    def put(self, texts: Mapping[Key, str], vectors: dict[Key, Vectors], idle: bool) -> None:
        """Take in raw vectors of the new encoder. texts: what was encoded. idle: no more are coming."""
        full = self.arms.full
        self.arms.put_text_vectors(vectors, idle)
        for key in vectors:
            catalogue = full.catalogues[full.index[key[0]]]
            if (row := catalogue.ids.get(key[1])) is not None:
                # If these are not the words of its latest event, the item is encoded again with the next one.
                catalogue.encoded[row] = words_hash(texts[key])

    def finish(self) -> TextMap:
        """Carry over what was learned on the old vectors. Return the maps."""
        held = self.arms.state()
        before, after = list[Vectors](), list[Vectors]()
        for (vectors, known), part in zip(self._old, held["full"]["catalogues"], strict=True):
            both = np.flatnonzero(known & part["has_vector"])
            before.append(vectors[both])
            after.append(part["vectors"][both])
        old, new = (np.concatenate(parts).astype(np.float64) for parts in (before, after))
        carry = fit_map(old, new, min(TASTE_WIDTH, old.shape[1]))
        self.arms.load(held | {"full": carried(held["full"], carry)})
        return carry


def without_text(full: State, fresh: State) -> State:
    """Return a learner's state without text vectors; those made elsewhere stay. fresh: one of nothing learned."""
    parts = full["item_parts"]
    named = dict(zip(parts["names"], parts["vectors"], strict=True))
    catalogues = []
    for domain, catalogue, empty in zip(
        full["domains"], full["catalogues"], fresh["catalogues"], strict=True
    ):
        vectors, known = np.zeros_like(catalogue["vectors"]), np.zeros_like(catalogue["has_vector"])
        for item_id, row in zip(catalogue["ids"]["ids"], catalogue["ids"]["rows"], strict=True):
            if (vector := named.get(flat((domain, item_id)))) is not None:
                vectors[row], known[row] = vector, True
        encoded = np.zeros_like(catalogue["encoded"])
        new = {"vectors": vectors, "has_vector": known, "encoded": encoded, "directions": empty["directions"]}
        catalogues.append(catalogue | new)
    exposure = full["exposure"]
    return full | {
        "catalogues": catalogues,
        "exposure": exposure | {"appeal": exposure["appeal"] | {"text": {}}},
        "projection": fresh["projection"],
        "item_parts": parts | {"texts": np.zeros_like(parts["texts"])},
    }
