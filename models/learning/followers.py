"""Add up what followed items: the sum that makes ordered co-visits a probability of the next item."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.signals.covisitation import NEXT
from models.signals.signal import Asked, Visits


def by_followers(asked: Asked, visits: Visits) -> Asked:
    """Return the questions with `recent_count = Σ_i next(j → i)` of each latest item j, and weights of 1.

    So `next(j → i) / recent_count` is the share of i among all that followed j, whatever the events on j weighed. Their
    number would not do: it holds the weights that are to be learned. An item that nothing followed counts 1.
    """
    slots, places = np.unique(asked.recent_slot, return_inverse=True)
    sums = np.ones(len(slots), np.float32)
    for n, slot in enumerate(slots.tolist()):
        if slot >= 0:
            begin = int(visits.begin[slot])
            total = float(visits.weights[begin : begin + int(visits.room[slot]), NEXT].sum())
            sums[n] = total if total > 0 else 1.0
    counts: NDArray[np.float32] = sums[places].reshape(asked.recent_slot.shape)
    return asked._replace(recent_count=counts, recent_weight=np.ones_like(counts))
