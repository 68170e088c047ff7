"""The ranking signals, and the matrix that they make of a user's candidates. A new signal is one line in `SIGNALS`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.signals import covisit_scores as visits
from models.signals import item_age, network_affinity, popularity, text_affinity
from models.signals import user_experience as stage
from models.signals.signal import Column, Query, Signal

SIGNALS: tuple[Signal, ...] = (
    popularity.SIGNAL,
    visits.SIGNAL,
    text_affinity.SIGNAL,
    stage.SIGNAL,
    item_age.SIGNAL,
    network_affinity.SIGNAL,
)
COLUMNS: tuple[Column, ...] = tuple(column for signal in SIGNALS for column in signal.columns)
NAMES = tuple(column.name for column in COLUMNS)
RANKS_ALONE = tuple(column.name for column in COLUMNS if column.ranks_alone)
PRIOR = np.array([column.prior for column in COLUMNS])
"""(signals,): weights before the first event, so that a young domain ranks sensibly."""
KNOTS = np.array([column.knots for column in COLUMNS]).T
"""(4, signals)"""


class Candidates(NamedTuple):
    """rows: (C,) distinct item rows, ascending; signals: (C, signals) float64."""

    rows: NDArray[np.int64]
    signals: NDArray[np.float64]


def matrix(query: Query) -> NDArray[np.float64]:
    """Return (C, signals) float64: every column of every signal, in the order of `NAMES`."""
    return np.concatenate([signal.values(query) for signal in SIGNALS], 1)
