"""Define what the ranker gets from the network, and what it returns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.ranking.conditional_logit import ConditionalLogit
from models.ranking.listing import Listed, list_best
from models.ranking.proposal import FULL, Proposed, Ranks, Weighing, judge_again
from models.signals.registry import ALL, NAMES
from models.signals.signal import Asked
from models.text.nearest import Lists
from models.threads import Task


class Space(NamedTuple):
    """The network's vectors: users (B, D), items of one domain (rows, D), and the items' index.

    Without items there is no network.
    """

    users: NDArray[np.float32]
    items: NDArray[np.float32]
    lists: Lists


class Proposing(NamedTuple):
    """Questions about one domain, at the places `wanted`, (n,). Once all `tasks` ran, `room` has the candidates."""

    wanted: NDArray[np.int64]
    room: Proposed
    tasks: list[Task]


class Ranked(NamedTuple):
    """One user's list, best first: rows (k,), scores (k,), contributions (k, signals) and the signals' names.

    The contributions of an item add up to its score.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    contributions: NDArray[np.float64]
    names: tuple[str, ...] = NAMES


class Choices(NamedTuple):
    """The C candidates of one event. values: (columns, C). rows: (C,). chosen: the item's place, -1 for none."""

    values: NDArray[np.float32]
    rows: NDArray[np.int32]
    chosen: int


class Judged(NamedTuple):
    """The rankings of n events of one domain. wanted: (n,) their places in the batch."""

    wanted: NDArray[np.int64]
    asked: Asked
    proposed: Proposed
    ranks: Ranks

    def choices(self, n: int) -> Choices:
        """Return the candidates of one of the events."""
        count = int(self.proposed.sizes[n])
        return Choices(
            self.proposed.values[n, :, :count], self.proposed.rows[n, :count], int(self.ranks.chosen[n])
        )

    def choose_again(
        self, challenger: ConditionalLogit, champion: ConditionalLogit, places: slice
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rank the chosen items by the challenger's weights, let these learn, and return the ranks by both, (n,) each.

        champion: its weights made the first ranks, and its users' slopes count in both. Only the challenger's weights
        learn. places: of the events in the batch.
        """
        some = slice(*np.searchsorted(self.wanted, (places.start, places.stop)).tolist())
        chosen, first = self.ranks.chosen[some], self.ranks.rank[some, FULL]
        again = np.empty(len(chosen), np.int64)
        slopes = champion.users
        weighing = Weighing(challenger.weights, challenger.squares, slopes.row_of, slopes.values, ALL)
        judge_again(self.asked, self.wanted[some], self.proposed.part(some), weighing, chosen, again)
        return first[chosen >= 0], again[chosen >= 0]


def listed(
    asked: Asked, wanted: NDArray[np.int64], proposed: Proposed, weighing: Weighing, k: int
) -> list[Ranked]:
    """Return the best k candidates of each question."""
    shape = (len(wanted), min(k, proposed.rows.shape[1]))
    out = Listed(np.empty(shape, np.int32), np.empty(shape), np.empty((*shape, len(weighing.places))))
    list_best(asked, wanted, proposed, weighing, out)
    return ranked(out)


def ranked(out: Listed) -> list[Ranked]:
    """Return the lists that a kernel has written."""
    found = enumerate((out.rows >= 0).sum(1).tolist())
    return [Ranked(out.rows[n, :k].astype(np.int64), out.scores[n, :k], out.parts[n, :k]) for n, k in found]
