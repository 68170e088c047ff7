"""Draw a list place by place, by a softmax of what is left, with a share of places for new items.

Every place has one exact probability, given the places before it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernels import kernel

Floats = NDArray[np.float64]


class Pool(NamedTuple):
    """The candidates of one list. weights: (n,) `exp((s - max s) / τ)` of their scores s. new: (n,) new items."""

    weights: Floats
    new: NDArray[np.bool_]


def pool_of(scores: Floats, new: NDArray[np.bool_], temperature: float) -> Pool:
    """Return the candidates. scores: (n,). temperature: τ, positive, in units of the scores."""
    return Pool(np.exp((scores - scores.max()) / temperature), new)


@kernel
def place_probability(weight: float, is_new: bool, left: float, left_new: float, share: float) -> float:
    """Return the probability that a candidate takes the next place,

        p = (1 - ε) w / Σ_left w + ε [new] w / Σ_left,new w.

    Without a new item left, ε counts as 0. If only new items are left, both parts are the same. left, left_new: sums of
    the weights of what is left, the candidate's own included. share: ε.

    >>> place_probability(1.0, True, 4.0, 2.0, 0.1)  # 0.9 / 4 + 0.1 / 2
    0.275
    >>> place_probability(1.0, False, 4.0, 0.0, 0.1)
    0.25
    """
    if left_new <= 0.0:
        return weight / left
    return (1.0 - share) * weight / left + (share * weight / left_new if is_new else 0.0)


@kernel
def draw(pool: Pool, share: float, uniform: Floats, order: NDArray[np.int64], p: Floats) -> int:
    """Draw a list without replacement; return its length, the number of places or of candidates.

    A weight that a computer holds as 0 is never drawn. share: ε, of places for new items. uniform: (2, places) numbers
    in [0, 1). order: (places,) candidates, written. p: (places,) the probability of each place given those before it,
    written.
    """
    weights, new = pool.weights.copy(), pool.new
    places = len(order)
    for place in range(places):
        # Sums are made anew for each place: to subtract what is gone would leave rounding errors in small remainders.
        left, left_new = 0.0, 0.0
        for c in range(len(weights)):
            left += weights[c]
            left_new += weights[c] if new[c] else 0.0
        if left <= 0.0:
            return place
        only_new = left_new > 0.0 and uniform[0, place] < share
        at = uniform[1, place] * (left_new if only_new else left)
        chosen = -1
        for c in range(len(weights)):
            if weights[c] > 0.0 and (new[c] or not only_new):
                chosen = c
                at -= weights[c]
                if at < 0.0:
                    break
        order[place] = chosen
        p[place] = place_probability(weights[chosen], new[chosen], left, left_new, share)
        weights[chosen] = 0.0
    return places


class DrawnPool(NamedTuple):
    """What of a list's pool tells the probability of its order.

    weights, new: (places,) of the shown candidates in their order. rest, rest_new: sums of the weights of the
    candidates that were not shown.
    """

    weights: Floats
    new: NDArray[np.bool_]
    rest: float
    rest_new: float


def shown_of(pool: Pool, order: NDArray[np.int64]) -> DrawnPool:
    """Return what was shown of a pool. order: (places,) candidates."""
    hidden = np.ones(len(pool.weights), np.bool_)
    hidden[order] = False
    rest, new = pool.weights[hidden], pool.new[hidden]
    return DrawnPool(pool.weights[order], pool.new[order], float(rest.sum()), float(rest[new].sum()))


def place_probabilities(shown: DrawnPool, share: float) -> Floats:
    """Return the probability of each place of a list given those before it, (places,); see `place_probability`.

    >>> shown = shown_of(Pool(np.array([1.0, 1.0, 2.0]), np.array([True, True, False])), np.array([0, 2]))
    >>> print(place_probabilities(shown, 0.1).round(3))  # 0.9 / 4 + 0.1 / 2, then 0.9 · 2 / 3
    [0.275 0.6  ]
    """
    new = np.where(shown.new, shown.weights, 0.0)
    # From the tail: to subtract what is gone would leave rounding errors in small remainders.
    left = np.cumsum(shown.weights[::-1])[::-1] + shown.rest
    left_new = np.cumsum(new[::-1])[::-1] + shown.rest_new
    usual = shown.weights / left
    extra = np.divide(new, left_new, out=usual.copy(), where=left_new > 0)
    chances: Floats = (1 - share) * usual + share * extra
    return chances


@kernel
def odds_of_swap(shown: DrawnPool, k: int, later: int, share: float) -> float:
    """Return P(the list with two ranks swapped) / P(the list as shown). k: the one nearer to the top."""
    weights, new = shown.weights, shown.new
    # Sums from the tail, of what is left at a rank: in the list as it is, and with the two items swapped.
    as_is, as_is_new = shown.rest, shown.rest_new
    swapped, swapped_new = shown.rest, shown.rest_new
    odds = 1.0
    for rank in range(len(weights) - 1, k - 1, -1):
        other = k if rank == later else (later if rank == k else rank)
        as_is += weights[rank]
        as_is_new += weights[rank] if new[rank] else 0.0
        swapped += weights[other]
        swapped_new += weights[other] if new[other] else 0.0
        if rank <= later:
            odds *= place_probability(weights[other], new[other], swapped, swapped_new, share)
            odds /= place_probability(weights[rank], new[rank], as_is, as_is_new, share)
    return odds
