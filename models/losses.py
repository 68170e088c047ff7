"""What each arm lost at each event of a micro-batch, before it was learned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.arm_selector import ARMS, Arm
from models.assessment.prequential import NDCG
from models.facts import Facts
from models.ranking.proposal import FULL, POPULARITY_ALONE, TARGET_ALONE, TEXT_ALONE
from models.rating.events import RatingParts

RANKED_BY: dict[Arm, int] = {
    "full": FULL, "target_only": TARGET_ALONE, "text": TEXT_ALONE, "popularity": POPULARITY_ALONE,
}  # fmt: skip
"""The column of `Ranks.rank` of each arm."""
MEAN, DOMAIN, ITEM, TEXT = (
    RatingParts.__struct_fields__.index(name) for name in ("mean", "domain", "item", "text")
)
GAINS = np.append(NDCG, 0.0)

Losses = list[dict[Arm, float]]
"""By event, the losses of the arms that said something of it."""


def rating_losses(
    facts: Facts, values: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> Losses:
    """Return squared errors. `text` and `popularity` know the domain, and the item's text or record.

    values: (B,) ratings, nan for clicks. low, high: (B,) ends of the domain's range.
    """
    parts = facts.parts
    base = parts[:, MEAN] + parts[:, DOMAIN]
    predicted = {
        "full": facts.prediction,
        "target_only": facts.alone_prediction,
        "text": np.clip(base + parts[:, TEXT], low, high),
        "popularity": np.clip(base + parts[:, ITEM] + parts[:, TEXT], low, high),
    }
    return _by_event({arm: (values - predicted[arm]) ** 2 for arm in ARMS})


def ranking_losses(facts: Facts) -> Losses:
    """Return 1 - NDCG@10 where the item was ranked. All arms order the full learner's candidates."""
    losses = {}
    for arm, column in RANKED_BY.items():
        rank = facts.rank[:, column]
        gain = GAINS[np.minimum(rank, len(GAINS) - 1)]
        losses[arm] = np.where(rank >= 0, 1.0 - gain, np.nan)
    return _by_event(losses)


def _by_event(losses: dict[Arm, NDArray[np.float64]]) -> Losses:
    """Return the losses by event, without those that are nan."""
    columns = [(arm, values.tolist()) for arm, values in losses.items() if not np.isnan(values).all()]
    found: Losses = [{} for _ in next(iter(losses.values()))]
    for arm, values in columns:
        for one, value in zip(found, values, strict=True):
            if value == value:  # noqa: PLR0124  not nan
                one[arm] = value
    return found
