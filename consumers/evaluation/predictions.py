"""Hold what one arm predicted for each target event before learning it."""

from __future__ import annotations

import copy

import numpy as np

from models.transfer.strategies import STRATEGIES

TOP = 10
WARM_UP_SHARE = 0.3
"""Share of the target's events, at the beginning, that is learned and not ranked."""


STRATEGY_ARMS = tuple(f"full_{strategy}" for strategy in STRATEGIES)
"""Arms of the full learner with one fixed adaptation strategy each."""
SHARD_ARMS = ("full_shards", "full_isolated")
"""Arms of the full learner as several shards: they share facts, or nothing."""


class ArmOutcome:
    """Predictions and ranks of one arm and seed, one row a target event; nan and -1 where there is none."""

    def __init__(self, arm: str, seed: int, events: int) -> None:
        self.arm = arm
        self.seed = seed
        self.prediction = np.full(events, np.nan)
        self.rank = np.full(events, -1, np.int64)
        self.recommended: set[int] = set()
        """Rows or positions of the items that were in a top 10."""
        self.catalogue = 0
        """How many items could have been in a top 10."""

    def of_seed(self, seed: int) -> ArmOutcome:
        """Return the same outcome under another seed, for an arm without randomness."""
        other = copy.copy(self)
        other.seed = seed
        return other

    @property
    def coverage(self) -> float:
        return len(self.recommended) / self.catalogue if self.catalogue else 0.0
