"""Give learners items with the vectors of their words."""

from __future__ import annotations

from collections.abc import Sequence

from models.arms.arm_comparison import ArmComparison
from models.learning.learner import Learner
from models.schema import Item
from models.text.encoder import HashingEncoder


def put_described(learner: ArmComparison | Learner, items: Sequence[Item]) -> None:
    """Put items, then the vectors that the default encoder gives their words."""
    for item in items:
        learner.put_item(item)
    raw = HashingEncoder().encode([item.words() for item in items])
    learner.put_text_vectors({(i.domain, i.item_id): v for i, v in zip(items, raw, strict=True)}, idle=True)
