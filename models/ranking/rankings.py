"""What a ranker is told of the network, and what it answers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.ranking.conditional_logit import part_rows
from models.ranking.proposal import Proposed, Ranks
from models.signals.registry import NAMES
from models.signals.signal import Asked
from models.text.nearest import Lists


class Space(NamedTuple):
    """The network's space: users (B, D), items of one domain (rows, D) and their index. No items: no network."""

    users: NDArray[np.float32]
    items: NDArray[np.float32]
    lists: Lists


class Ranked(NamedTuple):
    """One user's list, best first: rows (k,), scores (k,), contributions (k, signals), the signals' `names`.

    `contributions.sum(1)` is `scores`.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    contributions: NDArray[np.float64]
    names: tuple[str, ...] = NAMES


class Choices(NamedTuple):
    """One event's candidates as a challenger sees them. values: (columns, C). chosen: its place, -1 for none.

    bucket, gap: rows of weights. user: row, -1 for none. rank: of the chosen item.
    """

    values: NDArray[np.float32]
    rows: NDArray[np.int32]
    chosen: int
    bucket: int
    gap: int
    user: int
    rank: int


class Judged(NamedTuple):
    """What the ranker said of events of one domain. wanted: (n,) their places in the batch."""

    wanted: NDArray[np.int64]
    asked: Asked
    proposed: Proposed
    ranks: Ranks

    def choices(self, n: int) -> Choices:
        """Return the candidates of one of the events."""
        event = self.wanted[n]
        count = int(self.proposed.sizes[n])
        bucket, gap = part_rows(self.asked.events[event], self.asked.gap[event])
        return Choices(
            self.proposed.values[n, :, :count], self.proposed.rows[n, :count], int(self.ranks.chosen[n]),
            bucket, gap, int(self.asked.user[event]), int(self.ranks.rank[n, 0]),
        )  # fmt: skip
