"""Rank items by how near their text is to the texts of the user's latest items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.prefetch import prefetch
from models.signals.signal import Column, Columns
from models.text.nearest import dot

FADE = np.float32(0.8)
"""Weight of the k-th latest item in the profile: FADE^(k-1)."""
OWN_LATEST = 20
"""The number of latest items of the ranked domain that count."""
AHEAD = 6
"""Candidates between the one whose direction is fetched and the one that is compared."""

Array = NDArray[np.float32]


@kernel
def add_to_profiles(profiles: Array, domain: int, domains: NDArray[np.int8], rows: NDArray[np.int32],
                    weights: Array, units: Array) -> None:  # fmt: skip
    """Add `Σ_k FADE^k w_k z_k` over the latest items of one domain. profiles: (B, dim).

    domains, rows, weights: (B, R), newest first; domain -1 for none. units: (items, dim) directions z of the domain's
    items.

    >>> profiles, units = np.zeros((1, 2), np.float32), np.eye(2, dtype=np.float32)
    >>> domains, rows = np.zeros((1, 2), np.int8), np.array([[1, 0]], np.int32)
    >>> add_to_profiles(profiles, 0, domains, rows, np.ones((1, 2), np.float32), units)
    >>> print(profiles)  # the newest item is z_1
    [[0.8 1. ]]
    """
    for b in range(len(profiles)):
        weight = np.float32(1)
        for k in range(domains.shape[1]):
            if domains[b, k] == domain:
                row, own = rows[b, k], weight * weights[b, k]
                for z in range(profiles.shape[1]):
                    profiles[b, z] += own * units[row, z]
            weight *= FADE


@kernel
def normalise(profiles: Array) -> None:
    """Bring each row of `profiles`, (B, dim), to unit length. A row of zeros stays."""
    for b in range(len(profiles)):
        length = np.sqrt(dot(profiles[b], profiles[b]))
        if length > 0:
            for z in range(profiles.shape[1]):
                profiles[b, z] /= length


@kernel
def gather_own(columns: Columns) -> int:
    """Copy the text directions of the user's latest items of the domain into `scratch.own`, and return their number.

    The last row gets the direction of their mean, in which the k-th latest item weighs FADE^(k-1).
    """
    asked, units, own = columns.asked, columns.items.units, columns.scratch.own
    b, found, dim = columns.event, 0, units.shape[1]
    own[OWN_LATEST, :] = 0
    weight = np.float32(1)
    for k in range(asked.recent_n[b]):
        if not asked.recent_own[b, k]:
            continue
        row, mine = asked.recent_row[b, k], weight * asked.recent_weight[b, k]
        for z in range(dim):
            own[found, z] = units[row, z]
            own[OWN_LATEST, z] += mine * units[row, z]
        weight *= FADE
        found += 1
        if found == OWN_LATEST:
            break
    length = np.sqrt(dot(own[OWN_LATEST], own[OWN_LATEST]))
    if length > 0:
        for z in range(dim):
            own[OWN_LATEST, z] /= length
    return found


@kernel
def text_cosines(columns: Columns, column: int) -> None:
    """Fill three cosines of each candidate: `text`, `text_nearest` and `text_own`.

    text: with the profile over all domains. text_nearest: with the nearest of the user's latest 20 items of the domain.
    text_own: with the fading mean of those items. The last two keep what is particular to the domain, which the items
    of other domains blur in the profile.
    """
    units, own, profile = columns.items.units, columns.scratch.own, columns.asked.profile[columns.event]
    values, count, dim = columns.values, columns.size, columns.items.units.shape[1]
    told = dot(profile, profile) > 0
    latest = gather_own(columns) if told else 0
    for c in range(count):
        row = columns.rows[c]
        if c + AHEAD < count:
            for z in range(0, dim, 16):
                prefetch(units[columns.rows[c + AHEAD]], z)
        total, mine, best = np.float32(0), np.float32(0), np.float32(-2)
        if told:
            for z in range(dim):
                x = units[row, z]
                total += profile[z] * x
                mine += own[OWN_LATEST, z] * x
            for k in range(0, latest, 4):
                # Four at a time, so that the candidate is read once and the four sums are independent of each other.
                s0, s1, s2, s3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
                for z in range(dim):
                    x = units[row, z]
                    s0 += own[k, z] * x
                    s1 += own[k + 1, z] * x
                    s2 += own[k + 2, z] * x
                    s3 += own[k + 3, z] * x
                best = max(best, s0)
                if k + 1 < latest:
                    best = max(best, s1)
                if k + 2 < latest:
                    best = max(best, s2)
                if k + 3 < latest:
                    best = max(best, s3)
        values[column, c] = total
        values[column + 1, c] = best if latest > 0 else np.float32(0)
        values[column + 2, c] = mine if latest > 0 else np.float32(0)


COLUMNS = (
    Column("text", (-0.1, 0.1, 0.25, 0.45), prior=0.5),
    Column("text_nearest", (0.1, 0.25, 0.4, 0.6)),
    Column("text_own", (-0.1, 0.1, 0.25, 0.45)),
)
