"""Learn from ratings how an item's vector differs from that of its text, and count its ratings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.rating.domain_tables import stacked, widened
from models.state.dirty_keys import DirtyKeys
from models.state.tracked_tables import Checkpointed, Rows

OFFSET_STRENGTH = 12.0
"""The number of events that the belief "this item is as its text says" counts as, on each axis."""
LOGS, EVENTS = 0, 1


class ItemArrays(NamedTuple):
    """Beliefs δ_i ~ N(offset, diag(variance)) by domain and item row, for D domains and k axes."""

    tally: NDArray[np.float64]
    """(D, 2): over the domain's ratings, the sum of log(1 + earlier ratings of the item), and the number of ratings."""
    ratings: NDArray[np.int32]
    """(D, items): the number of ratings."""
    offset: NDArray[np.float32]
    """(D, items, k)"""
    variance: NDArray[np.float32]
    """(D, items, k): not set for an item without ratings; see `claim_item`."""


@kernel
def log_popularity(items: ItemArrays, domain: int, item: int) -> float:
    """Return half of log(1 + ratings of the item), minus its mean over the domain's ratings; 0 before the first.

    item: a row, -1 for an unknown item.
    """
    events = items.tally[domain, EVENTS]
    if events == 0.0:
        return 0.0
    count = items.ratings[domain, item] if item >= 0 else 0
    return (np.log1p(np.float64(count)) - items.tally[domain, LOGS] / events) / 2.0  # type: ignore[no-any-return]


@kernel
def item_vector(items: ItemArrays, domain: int, item: int, x: NDArray[Any], head: NDArray[Any]) -> None:
    """Write x_i + δ_i: the leading components of the text vector plus the learned offset.

    item: a row, -1 for an unknown item. x: (dim,) the scaled text vector. head: (k,), written.
    """
    for n in range(len(head)):
        head[n] = x[n] + items.offset[domain, item, n] if item >= 0 else x[n]


@kernel
def claim_item(items: ItemArrays, domain: int, item: int) -> None:
    """Give an item without ratings the variance of its prior. Call it before `offset_variance`."""
    if items.ratings[domain, item] == 0:
        items.variance[domain, item] = 1.0 / OFFSET_STRENGTH


@kernel
def offset_variance(
    items: ItemArrays, domain: int, item: int, theta: NDArray[Any], uncertainty: NDArray[Any]
) -> float:
    """Return θ·Vθ + V·(variances of θ): the variance of θ_u · δ_i, including that of the user's weights.

    theta: (k,) the user's weights on the item vector. uncertainty: (k,) their variances.
    """
    total = 0.0
    for n in range(len(theta)):
        total += items.variance[domain, item, n] * (theta[n] * theta[n] + uncertainty[n])
    return total


@kernel
def learn_offset(
    items: ItemArrays, domain: int, item: int, theta: NDArray[Any], error: float, innovation: float
) -> None:
    """Take one step of a diagonal Kalman filter:   δ_i += V θ_u e / S,   V -= (V θ_u)² / S.

    theta: θ_u (k,). error: e, observed minus predicted. innovation: S, the variance of e in units of the noise. Source:
    Agarwal and Chen (2009), "Regression-based latent factor models", in its assumed-density form.

    With V = 1/12, θ = 1 and S = 1 + 1/12 an error of 1 moves δ by 1/13, and V falls to 1/13:

    >>> factors = ItemFactors(domains=1, width=1)
    >>> factors.reserve(0, 1)
    >>> claim_item(factors.arrays, 0, 0)
    >>> learn_offset(factors.arrays, 0, 0, np.ones(1), 1.0, 1.0 + 1.0 / 12.0)
    >>> round(13 * float(factors.arrays.offset[0, 0, 0]), 5), round(13 * float(factors.arrays.variance[0, 0, 0]), 5)
    (1.0, 1.0)
    """
    for n in range(len(theta)):
        gain = items.variance[domain, item, n] * theta[n]
        items.offset[domain, item, n] += gain * error / innovation
        items.variance[domain, item, n] -= gain * gain / innovation


@kernel
def count_rating(items: ItemArrays, domain: int, item: int) -> None:
    """Count one rating of the item, and add log(1 + its earlier ratings) to the domain's sum."""
    items.tally[domain, LOGS] += np.log1p(np.float64(items.ratings[domain, item]))
    items.tally[domain, EVENTS] += 1.0
    items.ratings[domain, item] += 1


class ItemFactors(Checkpointed):
    """Item factors with the text as their prior: x_i = text_i + δ_i, with δ_i ~ N(0, 1 / OFFSET_STRENGTH).

    δ_i is learned from the ratings of the item, with the tastes θ_u of its raters as inputs. So an item begins as good
    as its text, and needs no random start.
    """

    def __init__(self, domains: int, width: int) -> None:
        """Begin without ratings. domains: D, their number. width: k, axes of an item's vector."""
        self.written = [DirtyKeys() for _ in range(domains)]
        """Dirty item rows, by domain."""
        self.sizes = [0] * domains
        """The number of rows in use, by domain."""
        self.arrays = ItemArrays(
            np.zeros((domains, 2)),
            np.zeros((domains, 0), np.int32),
            np.zeros((domains, 0, width), np.float32),
            np.zeros((domains, 0, width), np.float32),
        )

    def reserve(self, domain: int, rows: int) -> None:
        """Make room for this many items of the domain."""
        if rows > self.sizes[domain]:
            tally, *tables = self.arrays
            self.arrays = ItemArrays(tally, *(widened(table, self.sizes, rows) for table in tables))
            self.sizes[domain] = rows

    def drop_item(self, domain: int, item: int) -> None:
        """Empty an item's row."""
        if item < self.sizes[domain]:
            for table in self.arrays[1:]:
                table[domain, item] = 0

    def live(self) -> list[dict[str, Any]]:
        """Return what `load` takes."""
        tables = self.arrays
        return [
            {
                "logs": float(tables.tally[n, LOGS]),
                "events": int(tables.tally[n, EVENTS]),
                "count": Rows(written, tables.ratings[n, :size]),
                "offset": Rows(written, tables.offset[n, :size]),
                "variance": Rows(written, tables.variance[n, :size]),
            }
            for n, (written, size) in enumerate(zip(self.written, self.sizes, strict=True))
        ]

    def load(self, state: Sequence[dict[str, Any]]) -> None:
        """Replace every row. state: one part a domain; earlier versions say `shift` for `offset`."""
        self.sizes = [len(part["count"]) for part in state]
        self.arrays = ItemArrays(
            np.array([[float(part["logs"]), float(part["events"])] for part in state]),
            stacked([part["count"] for part in state]),
            stacked([part["shift"] if "shift" in part else part["offset"] for part in state]),
            stacked([part["variance"] for part in state]),
        )
