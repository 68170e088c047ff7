"""Learn what items and all shared tables take from ratings whose users another process has learned, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel
from models.rating.batch import ERROR, INNOVATION, THETA, Events, Tables, fold, make_work
from models.rating.item_factors import claim_item
from models.rating.taste_steps import LEADING
from models.rating.text_prior import scale_vector, text_gain


@kernel
def fold_events(tables: Tables, events: Events, lessons: NDArray[Any]) -> None:
    """Learn items and shared state from events whose users another process has learned. lessons: of `learn_events`."""
    work = make_work(tables)
    for n in range(len(events.domain)):
        if not np.isnan(lessons[n, ERROR]) and events.item[n] >= 0:
            scale_vector(tables.text, events.vectors[n], work.x)
            text_gain(tables.text, work.x, work.text_gain)
            claim_item(tables.items, events.domain[n], events.item[n])
            for k in range(lessons.shape[1] - THETA):
                work.theta[LEADING + k] = lessons[n, THETA + k]
            fold(tables, events, n, work, lessons[n, ERROR], lessons[n, INNOVATION])
