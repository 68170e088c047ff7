"""Define the input and the output of the rating model: events by rows, and the parts of a rating."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray


class RatedBatch(NamedTuple):
    """B events in their order."""

    domain: NDArray[np.int64]
    """(B,): index."""
    user: NDArray[np.int64]
    """(B,): row, -1 for an unknown user. The event is then only predicted."""
    item: NDArray[np.int64]
    """(B,): row, -1 for an unknown item. The event is then only predicted."""
    vectors: NDArray[np.float32]
    """(B, dim): the items' vectors, zeros for an item without text."""
    value: NDArray[np.float64]
    """(B,): the rating; nan to predict only."""
    external: NDArray[np.float64]
    """(B,): the network's residual, in rating units."""
    time: NDArray[np.float64]
    """(B,): seconds since the epoch."""
    context: Sequence[tuple[str, ...]]
    """(B,): bounded feature names, mostly none."""

    def of_one_domain(self, places: NDArray[np.int64]) -> RatedBatch:
        """Return some events of one domain for a model that knows this domain only: index 0, and no network.

        places: (n,) of the events.
        """
        domain, none = np.zeros(len(places), np.int64), np.zeros(len(places))
        contexts = [self.context[n] for n in places.tolist()]
        return RatedBatch(
            domain, self.user[places], self.item[places], self.vectors[places], self.value[places], none,
            self.time[places], contexts,
        )  # fmt: skip


class RatingParts(msgspec.Struct, frozen=True, gc=False):
    """Contributions in rating units; their sum is the unclipped prediction."""

    mean: float = 0.0
    """The middle of the range plus the intercept that all domains share."""
    domain: float = 0.0
    """The domain's running correction of `mean`."""
    context: float = 0.0
    user: float = 0.0
    """How much higher than others this user rates, everywhere and in this domain."""
    mood: float = 0.0
    """How much higher than usual this user rates during the present visit."""
    item: float = 0.0
    """How much better than its text suggests this item is."""
    text: float = 0.0
    """What all users together think of such an item vector."""
    popularity: float = 0.0
    """How much more than others this user likes items as popular as this one."""
    crowd: float = 0.0
    """How much more than others this user agrees with `item` + `text`."""
    taste: float = 0.0
    """What this user thinks of such an item vector, beyond `text`."""
    external: float = 0.0
    """The network's residual times the weight that it has earned."""
    proposal: float = 0.0
    """The network's residual before it is weighed. It is no part of the sum."""

    @property
    def total(self) -> float:
        """The unclipped prediction."""
        return sum(self.named().values())

    def named(self) -> dict[str, float]:
        """Return the contributions by name, which add up to `total`."""
        return {name: getattr(self, name) for name in self.__struct_fields__ if name != "proposal"}


def totals(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the unclipped predictions (B,) of a batch's parts (B, 12)."""
    total: NDArray[np.float64] = parts[:, :-1].sum(1)
    return total


EXTERNAL = RatingParts.__struct_fields__.index("external")
"""The column of the network's residual."""
PARTS = len(RatingParts.__struct_fields__)
"""Columns of a batch's parts: the fields of `RatingParts` in their order."""
