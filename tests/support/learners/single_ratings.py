"""Predict and learn one rating at a time: batches of one event."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.rating.events import RatedBatch, RatingParts
from models.rating.model import RatingModel


class ResolvedEvent(NamedTuple):
    """An event by rows: user and item are None without a row. time: seconds since the epoch."""

    domain: int
    user: int | None
    item: int | None
    vector: NDArray[np.float32]
    context: tuple[str, ...]
    time: float


def batch_of_one(event: ResolvedEvent, value: float = float("nan"), external: float = 0.0) -> RatedBatch:
    """Return the event as a batch. value: the rating; nan to predict only."""
    rows = [-1 if row is None else row for row in (event.user, event.item)]
    domain, user, item = np.array([[event.domain], [rows[0]], [rows[1]]], np.int64)
    values, externals, times = np.array([[value], [external], [event.time]])
    return RatedBatch(domain, user, item, event.vector[None], values, externals, times, [event.context])


def predict(model: RatingModel, event: ResolvedEvent, external: float = 0.0) -> RatingParts:
    """Predict a rating, change nothing and create no row. external: the network's residual, in rating units."""
    return RatingParts(*model.predict_batch(batch_of_one(event, external=external))[0].tolist())


def learn(model: RatingModel, event: ResolvedEvent, value: float, parts: RatingParts) -> None:
    """Learn one rating. Both rows must exist. parts: what `predict` has just returned for this event."""
    model.learn_batch(batch_of_one(event, value, parts.proposal))
