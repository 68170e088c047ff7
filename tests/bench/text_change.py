"""Change the text encoder in the middle of recorded ratings, and compare what follows.

    python -m tests.bench.text_change FOLDER hashing http://127.0.0.1:8000/v1/embeddings

FOLDER holds `interactions.csv.gz` and `items.csv.gz` with the fields of the contract and a column `domain`.
"""

# ruff: noqa: T201  a script

from __future__ import annotations

import csv
import gzip
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from consumers.config.text_encoder import TextEncoderConfig
from consumers.encoding.open_encoder import opened_for_command
from models.arms.arm_comparison import ArmComparison
from models.arms.text_change import TextChange
from models.schema import Domain, Interaction, Item
from models.settings import LearningSettings

ITEMS, BEFORE, AFTER, LIST, BATCH = 2500, 20_000, 4000, 10, 16
Key = tuple[str, str]


class Recording:
    """The first ratings of the most rated items, in time order."""

    def __init__(self, folder: Path) -> None:
        rows = _rows(folder / "interactions.csv.gz")
        top = {key for key, _ in Counter((r["domain"], r["item_id"]) for r in rows).most_common(ITEMS)}
        rows = sorted(
            (r for r in rows if (r["domain"], r["item_id"]) in top), key=lambda r: float(r["timestamp"])
        )
        self.rows = rows[: BEFORE + AFTER]
        items = [r for r in _rows(folder / "items.csv.gz") if (r["domain"], r["item_id"]) in top]
        self.texts: dict[Key, str] = {(r["domain"], r["item_id"]): f"{r['title']} {r['text']}" for r in items}
        self.domains = [Domain(name, "both", (0.5, 5.0)) for name in sorted({key[0] for key in self.texts})]

    def vectors(self, model: str) -> dict[Key, Any]:
        name = "served" if model.startswith("http") else ""
        encoder = opened_for_command(TextEncoderConfig(model=model, name=name))
        return dict(zip(self.texts, encoder.encode(list(self.texts.values())), strict=True))

    def arms(self) -> ArmComparison:
        return ArmComparison(self.domains, LearningSettings(users=1000, items_per_domain=ITEMS))

    def arms_of(self, state: dict[str, Any]) -> ArmComparison:
        arms = self.arms()
        arms.load(state)
        return arms

    def described(self, vectors: dict[Key, Any]) -> ArmComparison:
        arms = self.arms()
        for (domain, item), text in self.texts.items():
            arms.put_item(Item(domain, item, text), streamed=True)
        arms.put_text_vectors(vectors, idle=True)
        return arms

    def learn(self, arms: ArmComparison, first: int, last: int) -> float:
        """Learn these ratings. Return the root mean square error of the predictions from before each."""
        squares = []
        for start in range(first, last, BATCH):
            rows = self.rows[start : start + BATCH]
            arms.learn(
                [
                    Interaction(
                        r["domain"], "rating", r["user_id"], r["item_id"], int(float(r["timestamp"])) * 1000,
                        float(r["rating"]),
                    )
                    for r in rows
                ]
            )  # fmt: skip
            assert arms.latest is not None
            for n, row in enumerate(rows):
                squares.append((arms.latest.of(n).prediction - float(row["rating"])) ** 2)
            if start // BATCH % 64 == 0:
                arms.end_batch()
        return float(np.sqrt(np.mean(squares)))

    def lists(self, arms: ArmComparison) -> list[set[str]]:
        """Return the lists of the latest users in each domain."""
        users = sorted({row["user_id"] for row in self.rows[BEFORE - 6000 : BEFORE]})
        found = [some for d in self.domains for some in arms.recommend(users, d.name, LIST)]
        return [{one.item_id for one in some} for some in found]


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main() -> None:
    recording = Recording(Path(sys.argv[1]))
    old, new = (recording.vectors(model) for model in sys.argv[2:4])
    arms = recording.described(old)
    recording.learn(arms, 0, BEFORE)
    state, before = arms.state(), recording.lists(arms)

    def told(name: str, arms: ArmComparison) -> None:
        shared = np.mean(
            [len(one & two) / LIST for one, two in zip(before, recording.lists(arms), strict=True)]
        )
        error = recording.learn(arms, BEFORE, BEFORE + AFTER)
        print(
            f"{name:34} lists in common {shared:.0%}   error of the next {AFTER:,}: {error:.4f}", flush=True
        )

    told("no change", arms)
    for name in ("changed", "changed without the map"):
        change = TextChange(recording.arms_of(state))
        change.put(recording.texts, new, idle=True)
        if name == "changed":
            print(f"the new vectors explain {change.finish().explained:.0%} of the old ones")
        told(name, change.arms)
    fresh = recording.described(new)
    recording.learn(fresh, 0, BEFORE)
    told("learned with the new one all along", fresh)


if __name__ == "__main__":
    main()
