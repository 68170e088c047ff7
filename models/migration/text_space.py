"""Carry what was learned on the text vectors of one encoder over to those of another.

Old and new item vectors z, w (k,) are of the same items. Two ridge regressions connect the spaces:

    z ≈ w M    weights on old vectors become weights on new ones:   θ' = M θ,   since z · θ ≈ w M · θ = w · (M θ)
    w ≈ z N    offsets in the old space become offsets in the new:  δ' = δ N

A belief θ ~ N(m, P) with prior N(0, I/s) becomes N(M m, M P Mᵀ + (I − M Mᵀ)₊ / s): what the map does not explain is as
uncertain as at the start. The rating model scales vectors to unit mean square, so its maps are between scaled vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from models.rating.item_factors import OFFSET_STRENGTH
from models.rating.taste_steps import LEADING, TASTE_STRENGTH
from models.rating.text_prior import PRIOR_STRENGTH

State = dict[str, Any]
Floats = NDArray[np.float64]

PRIOR_ITEMS = 4.0
"""The number of average items that the belief "the spaces have nothing in common" counts as, on each axis."""
USERS_AT_ONCE = 4096
OF_TEXT = ("text", "item_in")
"""Parameters of the network whose last rows, one a component of the item vector, read the item vector."""


class TextMap(NamedTuple):
    """The maps between two text spaces, for vectors scaled to unit mean square.

    weights: M (k, k). leading: M (t, t) of the leading components, on which tastes are learned. offsets: N (t, t) of
    these. scale: root mean square length of the old vectors, divided by that of the new ones. explained: share of the
    old vectors' squares that the new ones explain, 0 to 1.
    """

    weights: Floats
    leading: Floats
    offsets: Floats
    scale: float
    explained: float


def ridge(inputs: Floats, outputs: Floats) -> Floats:
    """Return the matrix (k, m) for outputs ≈ inputs @ matrix, by ridge regression. inputs: (n, k). outputs: (n, m).

    The penalty is that of `PRIOR_ITEMS` items, so that few items give a small matrix and not a wrong one.

    With one axis and 12 items of length 1, whose outputs are twice their inputs, it is 2 · 12 / (12 + 4):

    >>> print(ridge(np.ones((12, 1)), np.full((12, 1), 2.0)))
    [[1.5]]
    """
    square = float((inputs * inputs).sum()) / max(inputs.size, 1)
    gram = inputs.T @ inputs + max(PRIOR_ITEMS * square, 1e-12) * np.eye(inputs.shape[1])
    return np.asarray(np.linalg.solve(gram, inputs.T @ outputs), np.float64)


def fit_map(old: Floats, new: Floats, leading: int) -> TextMap:
    """Return the maps for the vectors of the same n items, (n, k) each. leading: t."""
    lengths = [
        float(np.sqrt((vectors * vectors).sum() / max(len(vectors), 1))) or 1.0 for vectors in (old, new)
    ]
    z, w = old / lengths[0], new / lengths[1]
    weights = ridge(w, z)
    left = z - w @ weights
    explained = 1.0 - float((left * left).sum()) / max(float((z * z).sum()), 1e-12)
    head_old, head_new = z[:, :leading], w[:, :leading]
    return TextMap(
        weights, ridge(head_new, head_old), ridge(head_old, head_new), lengths[0] / lengths[1], explained
    )


def carried(full: State, carry: TextMap) -> State:
    """Return the state of a learner with everything in the text space mapped. Its item vectors must be new already."""
    return full | {
        "rating": _rating(full["rating"], carry),
        "alone": {name: _rating(part, carry) for name, part in full["alone"].items()},
        "network": _network(full["network"], carry, full["catalogues"]),
    }


def _rating(rating: State, carry: TextMap) -> State:
    prior = rating["prior"]
    text = prior | {
        "squares": prior["squares"] / carry.scale**2,
        "mean": carry.weights @ prior["mean"],
        "covariance": mapped_belief(prior["covariance"], carry.weights, PRIOR_STRENGTH),
    }
    return rating | {
        "prior": text,
        "taste": mapped_tastes(rating["taste"], carry.leading),
        "records": [_offsets(part, carry.offsets) for part in rating["records"]],
    }


def mapped_belief(covariance: Floats, matrix: Floats, strength: float) -> Floats:
    """Return M P Mᵀ + (I − M Mᵀ)₊ / s. covariance: P (…, k, k). matrix: M (k, k). strength: s of the prior.

    If the map says nothing, the belief is the prior again:

    >>> print(mapped_belief(np.full((1, 1), 0.01), np.zeros((1, 1)), 4.0))
    [[0.25]]
    """
    out: Floats = matrix @ covariance @ matrix.T + _unexplained(matrix) / strength
    return out


def _unexplained(matrix: Floats) -> Floats:
    """Return the positive part of I − M Mᵀ."""
    values, vectors = np.linalg.eigh(np.eye(len(matrix)) - matrix @ matrix.T)
    out: Floats = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return out


def mapped_tastes(taste: Mapping[str, Any], leading: Floats) -> State:
    """Return users' beliefs, see `TasteArrays`, with the weights on the item vector mapped. leading: M (t, t).

    Steps g of a user, with P = P_0 - Σ g gᵀ and θ = Σ c g, become M g: as P_0 is the prior I / s, that is the belief
    above, if M stretches nothing. What M stretches is therefore only turned.
    """
    if "covariance" in taste:  # an early state
        mean, covariance = _mapped(
            taste["mean"], taste["covariance"], np.flatnonzero(taste["known"]), leading
        )
        return {**taste, "mean": mean, "covariance": covariance}
    steps, whole, size = taste["steps"], taste["whole"], LEADING + len(leading)
    left, stretch, right = np.linalg.svd(leading)
    turned = (left * np.minimum(stretch, 1.0)) @ right
    gain, kind = steps["gain"].astype(np.float64), steps["gain"].dtype
    largest = np.iinfo(kind).max
    gain[:, LEADING:] = gain[:, LEADING:] @ turned.T  # all weights on the item vector have one unit
    values = whole["values"]
    mean, covariance = _mapped(values[:, :size], values[:, size:], np.arange(len(values)), leading)
    return {
        **taste,
        "steps": steps | {"gain": np.clip(np.rint(gain), -largest, largest).astype(kind)},
        "whole": whole | {"values": np.concatenate([mean, covariance], 1)},
    }


def _mapped(
    means: NDArray[Any], covariances: NDArray[Any], known: NDArray[np.int64], leading: Floats
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return means (users, m) and the lower triangles of covariances, those of the known users mapped."""
    size = LEADING + len(leading)
    whole = np.eye(size)
    whole[LEADING:, LEADING:] = leading
    more = np.zeros((size, size))
    more[LEADING:, LEADING:] = _unexplained(leading) / TASTE_STRENGTH
    rows, columns = np.tril_indices(size)
    mean, covariance = means.copy(), covariances.copy()
    for start in range(0, len(known), USERS_AT_ONCE):
        some = known[start : start + USERS_AT_ONCE]
        square = np.zeros((len(some), size, size))
        square[:, rows, columns] = square[:, columns, rows] = covariances[some]
        mean[some] = means[some] @ whole.T
        covariance[some] = (whole @ square @ whole.T + more)[:, rows, columns]
    return mean, covariance


def _offsets(part: State, offsets: Floats) -> State:
    """Return the items' offsets δ N, and their variances on the new axes. Items without ratings have none."""
    squares = offsets**2
    rated = part["count"] > 0
    variance = part["variance"].copy()
    unexplained = np.maximum(1.0 - squares.sum(axis=0), 0.0) / OFFSET_STRENGTH
    variance[rated] = np.minimum(part["variance"][rated] @ squares + unexplained, 1.0 / OFFSET_STRENGTH)
    return part | {"offset": (part["offset"] @ offsets).astype(np.float32), "variance": variance}


def _network(network: State, carry: TextMap, catalogues: Sequence[State]) -> State:
    mapped = network | _trainer(network, carry, catalogues)
    rival = network.get("contest", {}).get("rival")
    if rival is None:
        return mapped
    trial = rival | {"state": rival["state"] | _trainer(rival["state"], carry, catalogues)}
    return mapped | {"contest": network["contest"] | {"rival": trial}}


def _trainer(network: State, carry: TextMap, catalogues: Sequence[State]) -> State:
    """Return the changed parts: parameters that read item vectors, whose moments begin again, and stale vectors."""
    matrix = torch.from_numpy((carry.scale * carry.weights).astype(np.float32))
    dense = dict(network["network"])
    for name in OF_TEXT:
        own, of_text = torch.split(dense[name], [len(dense[name]) - len(matrix), len(matrix)])
        dense[name] = torch.cat([own, matrix @ of_text])
    vectors = {
        name: part | {"stale": np.arange(len(catalogues[int(name)]["id_of"]))}
        for name, part in network["vectors"].items()
    }
    moments = {name: part for name, part in network["adam"].items() if name not in OF_TEXT}
    return {"network": dense, "adam": moments, "vectors": vectors}
