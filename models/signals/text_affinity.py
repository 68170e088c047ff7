"""How near an item's text is to that of a user's latest items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.signals.signal import Column, Query, Signal
from models.tables.catalogue import Catalogue
from models.tables.user_history import Recent
from models.text.top_k import Affinity, affinities

FADE = 0.8
"""Weight of the k-th latest item in the profile: FADE^(k-1)."""
LATEST = 20
"""How many latest items of the domain count as its own."""


def profile(catalogues: list[Catalogue], recent: Recent) -> NDArray[np.float32]:
    """(dim,): the fading mean direction of the user's latest items of all domains, zero without text."""
    total = np.zeros(catalogues[0].dim)
    fading = FADE ** np.arange(len(recent.row))[::-1]
    for domain, catalogue in enumerate(catalogues):
        here = recent.domain == domain
        if here.any():
            total += fading[here] @ catalogue.directions.units[recent.row[here]]
    norm = np.linalg.norm(total)
    return (total / norm if norm else total).astype(np.float32)


def text_affinities(catalogue: Catalogue, profiles: NDArray[np.float32]) -> list[Affinity]:
    """The cosine of each profile (users, dim) with the items."""
    directions = catalogue.directions
    return affinities(directions.index, directions.units[: catalogue.size], profiles)


def to_own(catalogue: Catalogue, recent: Recent, domain: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """(len(rows), 2): cosine with the nearest of the user's latest 20 items of the domain, and with their fading mean.

    Zeros without any. What the other domains' items add to the profile of all blurs what the domain's own say.
    """
    latest = recent.row[recent.domain == domain][-LATEST:]
    if not len(latest):
        return np.zeros((len(rows), 2), np.float32)
    units = catalogue.directions.units
    fading = (FADE ** np.arange(len(latest))[::-1]).astype(np.float32)
    length = np.linalg.norm(fading @ units[latest])
    cosines = units[rows] @ units[latest].T  # (rows, latest)
    own = cosines @ (fading / length if length else fading)
    return np.column_stack([cosines.max(1), own])


def text_columns(query: Query) -> NDArray[np.float64]:
    """(C, 3): cosine with the profile over all domains, with the nearest own item, and with the own items' mean."""
    columns = np.zeros((len(query.rows), 3))
    if query.text is not None:
        columns[:, 0] = query.text.values(query.rows)
        columns[:, 1:] = to_own(query.catalogue, query.recent, query.domain, query.rows)
    return columns


SIGNAL = Signal(
    (
        Column("text", (-0.1, 0.1, 0.25, 0.45), prior=0.5, ranks_alone=True),
        Column("text_nearest", (0.1, 0.25, 0.4, 0.6)),
        Column("text_own", (-0.1, 0.1, 0.25, 0.45)),
    ),
    text_columns,
)
