"""Write a state of the rating model in the early format, with named biases and whole covariances."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.rating.model import RatingModel
from models.rating.taste_steps import TasteArrays, taste_at, taste_gain
from models.rating.user_taste import UserTaste


def beliefs(taste: UserTaste) -> dict[str, Any]:
    """Return each user's mean and covariance."""
    held, size = taste.arrays, taste.size
    mean, covariance = np.zeros((len(held.time), size)), np.zeros((len(held.time), size, size))
    for user in np.flatnonzero(held.steps).tolist():
        taste_at(held, user, held.time[user], mean[user])
        for n, one in enumerate(np.eye(size)):
            taste_gain(held, user, one, covariance[user, n])
    return {
        "known": held.steps != 0,
        "time": held.time.copy(),
        "mean": mean.astype(np.float32),
        "covariance": covariance.astype(np.float32),
    }


def as_before(model: RatingModel) -> dict[str, Any]:
    """Return the model's state in the earlier format. The model knows the ids of its rows."""
    state, bias = model.state(), model.bias
    names = bias.cells.names()
    for record in state["records"]:
        record["shift"] = record.pop("offset")
    named = {
        "names": names,
        "weights": np.array([bias.weight(name) for name in names]),
        "variances": np.array([bias.variance(name) for name in names]),
    }
    return state | {"bias": named, "taste": beliefs(model.taste)}


def mean_of(taste: TasteArrays, user: int) -> NDArray[np.float64]:
    """Return a user's θ_u, (m,), at the user's own time."""
    mean = np.zeros(len(taste.prior))
    taste_at(taste, user, taste.time[user], mean)
    return mean
