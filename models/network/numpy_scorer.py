"""Run the network's forward passes without torch, whose overhead would dominate for a few users.

n users or events, L recent items, D dimensions of the shared space, F = D-1; as in `two_tower.py`.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from models.network.two_tower import Network
from models.network.user_tower import UserTower, user_vectors
from models.threads import Workers

Array = NDArray[np.float32]
WORTH_SPLITTING = 32
"""The least number of users for a thread, because starting one costs as much as some users."""
BLOCK = 1_024
"""Rows that go through a tower together, few enough for their hidden layers to stay in the processor's cache."""


class NumpyScorer:
    """Both towers and the rating head. They read the memory of the parameters, so they are always up to date."""

    def __init__(self, network: Network, workers: Workers) -> None:
        self._workers = workers
        self.w: dict[str, Array] = {name: p.detach().numpy() for name, p in network.named_parameters()}
        w = self.w
        self._tower = UserTower(
            w["query"], w["query_bias"], w["key"], w["position"], w["fade"], w["user_mix"], w["user_in"],
            w["user_bias"], w["user_out"],
        )  # fmt: skip

    def items(self, rows: Array, text: Array, domain: int) -> Array:
        """Return the vectors of one domain's items, (M, D). rows: (M, D) of the embedding table. text: (M, T)."""
        w, out = self.w, np.empty(rows.shape, np.float32)
        free, hidden = rows.shape[1] - 1, w["item_in"].shape[1]
        of_text = np.concatenate([w["item_in"][free:], w["text"]], axis=1)  # (T, H+F)
        for start in range(0, len(rows), BLOCK):
            some = slice(start, start + BLOCK)
            outside = text[some] @ of_text
            h = rows[some, :-1] @ w["item_in"][:free]
            h += outside[:, :hidden]
            h += w["item_bias_in"][domain]
            np.maximum(h, 0, out=h)
            np.matmul(h, w["item_out"], out=out[some])
            out[some] += rows[some]
            out[some] += w["item_bias_out"][domain]
            out[some, :-1] += outside[:, hidden:]
        return out

    def users(self, vectors: Array, near: NDArray[np.int64], recent: NDArray[np.float64]) -> Array:
        """Return the user vectors, (n, D); see `user_tower.user_vectors`."""

        def task(some: slice) -> Array:
            return user_vectors(self._tower, vectors, near[some], recent[some])

        slices = self._workers.slices(len(near), WORTH_SPLITTING)
        return np.concatenate(self._workers.run([partial(task, some) for some in slices]))

    def ratings(self, users: Array, items: Array, domain: NDArray[np.int64]) -> Array:
        """Return the residuals, (n,), in units of the rating. users, items: (n, D). domain: (n,)."""
        w = self.w
        u, v = users[:, :-1], items[:, :-1]
        h = np.maximum(
            np.concatenate([u, v, u * v], axis=1) @ w["rating_in"] + w["rating_bias_in"][domain], 0
        )
        h = np.maximum(h @ w["rating_mid"] + w["rating_bias_mid"][domain], 0)
        residuals: Array = h @ w["rating_out"][:, 0] + w["rating_bias_out"][domain, 0]
        return residuals
