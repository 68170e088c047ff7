"""Compute the loss of each arm at each event of a micro-batch, from before the event was learned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.learning.facts import Facts
from models.ranking.proposal import FULL, POPULARITY_ARM, TARGET_ONLY_ARM, TEXT_ARM
from models.rating.events import RatingParts
from models.settings import ARMS, Arm

RANKED_BY: dict[Arm, int] = {
    "full": FULL, "target_only": TARGET_ONLY_ARM, "text": TEXT_ARM, "popularity": POPULARITY_ARM,
}  # fmt: skip
"""The column of `Ranks.rank` of each arm."""
COLUMNS = [RANKED_BY[arm] for arm in ARMS]
MEAN, DOMAIN, ITEM, TEXT = (
    RatingParts.__struct_fields__.index(name) for name in ("mean", "domain", "item", "text")
)
Floats = NDArray[np.float64]


def rating_losses(facts: Facts, ranges: Floats) -> Floats:
    """Return squared errors, (B, arms), nan where an arm has no prediction. ranges: (B, 2) ends of the domain's range.

    The arm `text` predicts from the domain and the item's text, and `popularity` from the item's ratings too.
    """
    parts, (low, high) = facts.parts, ranges.T
    text = parts[:, MEAN] + parts[:, DOMAIN] + parts[:, TEXT]
    predicted = np.empty((len(parts), len(ARMS)))
    predicted[:, 0], predicted[:, 1] = facts.prediction, facts.target_only_prediction
    predicted[:, 2] = np.clip(text, low, high)
    predicted[:, 3] = np.clip(text + parts[:, ITEM], low, high)
    losses: Floats = (facts.value[:, None] - predicted) ** 2
    return losses


def ranks(facts: Facts) -> NDArray[np.int64]:
    """Return the item's rank by each arm, (B, arms), negative for none. All arms rank the full learner's candidates."""
    rank: NDArray[np.int64] = facts.rank[:, COLUMNS]
    return rank
