"""Write a state of the rating model in the early format, with named biases and whole covariances."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.rating.model import RatingModel


def as_before(model: RatingModel) -> dict[str, Any]:
    """Return the model's state in the earlier format. The model knows the ids of its rows."""
    state, bias = model.state(), model.bias
    names = bias.cells.names()
    packed = state["taste"]["covariance"]
    size = state["taste"]["mean"].shape[1]
    whole = np.zeros((len(packed), size, size), np.float32)
    rows, columns = np.tril_indices(size)
    whole[:, rows, columns] = whole[:, columns, rows] = packed
    for record in state["records"]:
        record["shift"] = record.pop("offset")
    named = {
        "names": names,
        "weights": np.array([bias.weight(name) for name in names]),
        "variances": np.array([bias.variance(name) for name in names]),
    }
    return state | {"bias": named, "taste": state["taste"] | {"covariance": whole}}
