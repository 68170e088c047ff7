"""The signal of the network: how near an item is to the user in its space, among the candidates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.signals.signal import Column, Query, Signal


def standardised_affinity(query: Query) -> NDArray[np.float64]:
    """(C, 1): the network's affinity, less its mean over the candidates, in standard deviations; 0 without one."""
    if query.network is None or not len(query.rows):
        return np.zeros((len(query.rows), 1))
    values = np.nan_to_num(query.network.values(query.rows).astype(np.float64))
    standardised: NDArray[np.float64] = (values - values.mean()) / (values.std() + 1e-9)
    return standardised[:, None]


SIGNAL = Signal((Column("affinity", (-1.0, 0.0, 1.0, 2.0)),), standardised_affinity)
