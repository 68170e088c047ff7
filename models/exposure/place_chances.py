"""Tell how often each candidate stands at each place of drawn lists."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.exposure.plackett_luce import Pool, draw
from models.kernels import kernel

Floats = NDArray[np.float64]


@kernel
def add_chances(pool: Pool, share: float, uniform: Floats, out: Floats) -> None:
    """Add the mean over draws of each candidate's probability of each place to `out`, (n, places).

    At each place of a draw every candidate counts with its probability given the places above, so that a few draws are
    enough, no candidate that can be drawn has a chance of 0 (Rao and Blackwell), and the first place is exact. uniform:
    (draws, 2, places) numbers in [0, 1). The shown list must not be one of the draws: it would count itself, and bias
    every ratio.
    """
    draws, (n, places) = len(uniform), out.shape
    order, p = np.zeros(places, np.int64), np.zeros(places)
    weights = np.zeros(n)
    for one in range(draws):
        length = draw(pool, share, uniform[one], order, p)
        weights[:] = pool.weights
        for place in range(length):
            left, left_new = 0.0, 0.0
            for c in range(n):
                left += weights[c]
                left_new += weights[c] if pool.new[c] else 0.0
            # What `place_probability` returns, as two factors of the weight.
            usual = (1.0 - share) / left / draws if left_new > 0.0 else 1.0 / left / draws
            extra = share / left_new / draws if left_new > 0.0 else 0.0
            for c in range(n):
                out[c, place] += weights[c] * (usual + (extra if pool.new[c] else 0.0))
            weights[order[place]] = 0.0


def drawn_chances(pool: Pool, share: float, uniform: Floats) -> Floats:
    """Return (candidates, places); see `add_chances`.

    >>> pool = Pool(np.array([3.0, 1.0]), np.zeros(2, np.bool_))
    >>> print(drawn_chances(pool, 0.0, np.full((1, 2, 2), 0.5)))  # the draw takes the first candidate first
    [[0.75 0.  ]
     [0.25 1.  ]]
    """
    out = np.zeros((len(pool.weights), uniform.shape[2]))
    add_chances(pool, share, uniform, out)
    return out


def best_first(scores: Floats, places: int) -> Floats:
    """Return the chances, (n, places) of 0 and 1, of the one list that ranks by scores, (n,).

    >>> print(best_first(np.array([0.2, 0.9, 0.5]), 2))
    [[0. 0.]
     [1. 0.]
     [0. 1.]]
    """
    out = np.zeros((len(scores), places))
    order = np.argsort(-scores, kind="stable")[:places]
    out[order, np.arange(len(order))] = 1.0
    return out
