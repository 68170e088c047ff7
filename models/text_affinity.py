"""How near an item's text is to that of a user's latest items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.catalogue import Catalogue
from models.history import Recent
from models.nearest import Affinity, affinities

FADE = 0.8
"""Weight of the k-th latest item in the profile: FADE^(k-1)."""
NEAREST = 20
"""How many latest items of the domain an item may be near to."""


def profile(catalogues: list[Catalogue], recent: Recent, domain: int) -> NDArray[np.float32]:
    """(dim,): the fading mean direction of the user's latest items of the domain, zero without text.

    Of a user without any there, those of all domains: better than nothing, but they blur what the domain's own say.
    """
    total = np.zeros(catalogues[0].dim)
    own = recent.domain == domain
    if own.any():
        recent = Recent(recent.domain[own], recent.row[own], recent.time[own])
    fading = FADE ** np.arange(len(recent.row))[::-1]
    for other, catalogue in enumerate(catalogues):
        here = recent.domain == other
        if here.any():
            total += fading[here] @ catalogue.directions.units[recent.row[here]]
    norm = np.linalg.norm(total)
    return (total / norm if norm else total).astype(np.float32)


def text_affinities(catalogue: Catalogue, profiles: NDArray[np.float32]) -> list[Affinity]:
    """The cosine of each profile (users, dim) with the items."""
    directions = catalogue.directions
    return affinities(directions.index, directions.units[: catalogue.size], profiles)


def nearest(
    catalogue: Catalogue, recent: Recent, domain: int, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(len(rows),): cosine with the nearest of the user's latest 20 items of the domain, 0 without any."""
    latest = recent.row[recent.domain == domain][-NEAREST:]
    if not len(latest):
        return np.zeros(len(rows), np.float32)
    units = catalogue.directions.units
    cosines: NDArray[np.float32] = (units[rows] @ units[latest].T).max(1)
    return cosines
