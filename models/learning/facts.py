"""Hold the facts of a micro-batch: rows, predictions and ranks from before each event was learned."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.ranking.proposal import FULL
from models.ranking.rankings import Choices, Judged
from models.rating.events import RatedBatch
from models.tables.event_rings import Done, Recalled

NOT_RANKED = -1


class Lessons(NamedTuple):
    """What the items of rating models learned from B ratings, (B, 2 + k) each, nan for none; see `fold_batch`.

    full: of all domains' model. target_only: of the model that knows the event's domain only.
    """

    full: NDArray[np.float64]
    target_only: NDArray[np.float64]


class Facts(NamedTuple):
    """B events of one micro-batch, in their order.

    done: domains, rows and times. new: (B,) whether the item had no row before. places: for each domain, the places of
    its events. recalled: the users' latest items before each event. value: (B,) ratings, nan for a click. parts:
    (B, 12) the rating's parts in the order of `RatingParts`, nan for a click. prediction: (B,) of the full learner,
    clipped to the domain's range, nan for a click. target_only_prediction: (B,) of the target-only model, nan for none.
    residual: (B,) the rating minus the prediction without the network, nan for a click. rank: (B, arms), see `Ranks`.
    rarity: (B,) `-log` of the item's share of events, nan for a new item. learned: (B,) the number of events learned in
    the domain before. judged: the rankings of each domain with lists. rated: the events as the rating model got them.
    lessons: None if nothing was learned.
    """

    done: Done
    new: NDArray[np.bool_]
    places: list[NDArray[np.int64]]
    recalled: Recalled
    value: NDArray[np.float64]
    parts: NDArray[np.float64]
    prediction: NDArray[np.float64]
    target_only_prediction: NDArray[np.float64]
    residual: NDArray[np.float64]
    rank: NDArray[np.int64]
    rarity: NDArray[np.float64]
    learned: NDArray[np.int64]
    judged: dict[int, Judged]
    rated: RatedBatch
    lessons: Lessons | None

    def __len__(self) -> int:
        return len(self.new)

    def of(self, n: int) -> ScoredEvent:
        """Return the n-th event."""
        return ScoredEvent(
            self, n, _number(float(self.prediction[n])), _rank(int(self.rank[n, FULL])),
            _number(float(self.rarity[n])), int(self.learned[n]),
        )  # fmt: skip


class ScoredEvent:
    """The facts of one event of a batch, from before it was learned.

    prediction: the rating, clipped to the domain's range; None for a click. rank: the item's place among the items that
    could have been recommended, 0 the best; None if it was not ranked. rarity: `-log` of the item's share of events,
    None for a new item. learned: the number of events learned in the domain before.
    """

    __slots__ = ("facts", "learned", "n", "prediction", "rank", "rarity")

    def __init__(
        self,
        facts: Facts,
        n: int,
        prediction: float | None,
        rank: int | None,
        rarity: float | None,
        learned: int,
    ) -> None:
        self.facts, self.n, self.learned = facts, n, learned
        self.prediction, self.rank, self.rarity = prediction, rank, rarity

    @property
    def target_only_prediction(self) -> float | None:
        """The prediction of the target-only model; None for a click, or without that arm."""
        return _number(float(self.facts.target_only_prediction[self.n]))

    @property
    def choices(self) -> Choices | None:
        """The candidates; None if the item was not ranked. They are valid until the next batch is scored."""
        judged = self.facts.judged.get(int(self.facts.done.domain[self.n]))
        if judged is None or self.rank is None:
            return None
        return judged.choices(int(np.searchsorted(judged.wanted, self.n)))

    @property
    def top(self) -> list[int]:
        """Rows of the ten best candidates, best first; empty if the item was not ranked."""
        judged = self.facts.judged.get(int(self.facts.done.domain[self.n]))
        if judged is None or self.rank is None:
            return []
        top = judged.ranks.top[int(np.searchsorted(judged.wanted, self.n))]
        rows: list[int] = top[top >= 0].tolist()
        return rows


def _number(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124  nan


def _rank(rank: int) -> int | None:
    return None if rank == NOT_RANKED else rank
