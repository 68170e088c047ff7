"""List the ranking signals.

A new one is a file with `COLUMNS` and a kernel. Here it is imported, listed in `PARTS`, given a place (like `AGE`), and
called in `fill`.

`fill` is one kernel that calls the signals one after another, because numba compiles no list of functions.
"""

from __future__ import annotations

import numpy as np

from models.kernels import kernel
from models.signals import (
    covisit_scores,
    item_age,
    network_affinity,
    popularity,
    text_affinity,
    user_experience,
)
from models.signals.log1p import log1p
from models.signals.signal import Column, Columns

PARTS: tuple[tuple[Column, ...], ...] = (
    popularity.COLUMNS,
    covisit_scores.COLUMNS,
    covisit_scores.OWN_COLUMNS,
    text_affinity.COLUMNS,
    user_experience.COLUMNS,
    item_age.COLUMNS,
    network_affinity.COLUMNS,
)
LAYOUT: tuple[Column, ...] = tuple(column for part in PARTS for column in part)
"""The columns in their order in memory."""
PLACES = {column.name: n for n, column in enumerate(LAYOUT)}
LEFT_OUT = -1
LOGS = np.array([n for n, column in enumerate(LAYOUT) if column.log])
COLUMNS = tuple(column for column in LAYOUT if column not in covisit_scores.OWN_COLUMNS)
"""The signals that the ranker weighs."""
NAMES = tuple(column.name for column in COLUMNS)
PRIOR = np.array([column.prior for column in COLUMNS])
"""(signals,): weights before the first event, so that a young domain ranks sensibly."""
KNOTS = np.array([column.knots for column in COLUMNS], np.float32).T.copy()
"""(4, signals)"""
ALL = np.array([PLACES[name] for name in NAMES])
"""(signals,): the column of each signal."""
_WITHOUT_SOURCES = {
    "sequence": "own_sequence",
    "sequence_60d": "own_sequence_60d",
    "sequence_reversed": "own_sequence_reversed",
    "co_visitation_30d": "own_co_visitation_30d",
    "co_visitation_sources": None,
    "text": "text_own",
    "affinity": None,
}
TARGET_ONLY = np.array(
    [LEFT_OUT if (name := _WITHOUT_SOURCES.get(own, own)) is None else PLACES[name] for own in NAMES]
)
"""(signals,): the column of each signal for a ranker that knows neither other domains nor the network."""


def _first(columns: tuple[Column, ...]) -> int:
    return PLACES[columns[0].name]


POPULARITY, COVISITS = _first(popularity.COLUMNS), _first(covisit_scores.COLUMNS)
TEXT, EXPERIENCE = _first(text_affinity.COLUMNS), _first(user_experience.COLUMNS)
AGE, NETWORK = _first(item_age.COLUMNS), _first(network_affinity.COLUMNS)


@kernel
def fill(columns: Columns) -> None:
    """Fill every column of every signal."""
    popularity.log_demand(columns, POPULARITY)
    covisit_scores.covisit_sums(columns, COVISITS)
    text_affinity.text_cosines(columns, TEXT)
    user_experience.log_density(columns, EXPERIENCE)
    item_age.age(columns, AGE)
    network_affinity.standardised_affinity(columns, NETWORK)
    for n in LOGS:
        log1p(columns.values[n, : columns.size])
