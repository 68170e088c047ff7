"""What a ranking signal is: named columns, and one function that fills them for a user's candidates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from models.signals.covisit_scores import CovisitScores
    from models.signals.item_statistics import ItemStatistics
    from models.tables.catalogue import Catalogue
    from models.tables.user_history import Recent
    from models.text.top_k import Affinity


class Column(NamedTuple):
    """One number a candidate. The ranker learns how much it counts, separately between its knots.

    knots: ascending values where the slope may change. prior: the weight before the first event. ranks_alone: whether
    the column by itself is a sensible ranking, to compare with.
    """

    name: str
    knots: tuple[float, float, float, float]
    prior: float = 0.0
    ranks_alone: bool = False


class Query(NamedTuple):
    """One user, one moment, and the candidates to describe. Signals read it and change nothing.

    domain: index of the domain. user: row, None for a stranger. time: seconds. rows: (C,) ascending candidate rows.
    recent: the user's latest items of all domains. events: the user's events in this domain. covisits: sums over the
    items that were visited with the user's latest. text, network: affinities, None where there is none.
    """

    domain: int
    user: int | None
    time: float
    rows: NDArray[np.int64]
    recent: Recent
    events: int
    catalogue: Catalogue
    statistics: ItemStatistics
    covisits: CovisitScores
    text: Affinity | None
    network: Affinity | None


class Signal(NamedTuple):
    """columns: what it is called and how it is weighed; values: (C, len(columns)) float64 for a query."""

    columns: tuple[Column, ...]
    values: Callable[[Query], NDArray[np.float64]]
