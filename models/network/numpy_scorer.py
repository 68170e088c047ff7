"""The network's forward passes in numpy: torch's overhead would be most of the time for a few users.

n users or events, L recent items, D dimensions of the shared space, F = D-1; as in `two_tower.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.network.attention import attend
from models.network.two_tower import Network

Array = NDArray[np.float32]
BLOCK = 1_024
"""Rows that go through a tower together: what lies between its layers stays in the processor's cache."""


class NumpyScorer:
    """Both towers and the rating head. Reads the parameters' own memory, so it is always up to date."""

    def __init__(self, network: Network) -> None:
        self.w: dict[str, Array] = {name: p.detach().numpy() for name, p in network.named_parameters()}

    def items(self, rows: Array, text: Array, domain: int) -> Array:
        """Return (M, D) vectors of one domain's items. rows: (M, D) of the embedding table. text: (M, T)."""
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

    def users(self, vectors: Array, near: NDArray[np.int64], age: Array) -> Array:
        """Return (n, D) user vectors.

        vectors: (M, F) of items. near: (n, L) rows of `vectors`, the recent items newest first, -1 for none.
        age: (n, L) days before the newest.
        """
        w = self.w
        (heads, free), query = (len(w["fade"]), vectors.shape[1]), w["query"].shape[1] // len(w["fade"])
        latest = vectors[near[:, 0]] * (near[:, :1] >= 0)  # (n, F)
        asking = (latest @ w["query"] + w["query_bias"]).reshape(-1, heads, query).swapaxes(0, 1)  # (A, n, Q)
        key = w["key"].reshape(free, heads, query).transpose(1, 2, 0) * np.float32(query**-0.5)  # (A, Q, F)
        asked = np.ascontiguousarray((asking @ key).swapaxes(0, 1))  # (A, n, F) → (n, A, F)
        position = np.ascontiguousarray(w["position"][:, : near.shape[1]])
        means, _ = attend(asked, vectors, near, position, w["fade"], np.log1p(age))
        mean = means.reshape(len(near), -1)  # (n, A·F)
        h = np.maximum(mean @ w["user_in"] + w["user_bias"], 0)
        out = np.ones((len(near), free + 1), np.float32)
        out[:, :-1] = mean @ w["user_mix"] + h @ w["user_out"]
        return out

    def ratings(self, users: Array, items: Array, domain: NDArray[np.int64]) -> Array:
        """Return (n,) residuals, in units of the rating. users, items: (n, D). domain: (n,)."""
        w = self.w
        u, v = users[:, :-1], items[:, :-1]
        h = np.maximum(
            np.concatenate([u, v, u * v], axis=1) @ w["rating_in"] + w["rating_bias_in"][domain], 0
        )
        h = np.maximum(h @ w["rating_mid"] + w["rating_bias_mid"][domain], 0)
        residuals: Array = h @ w["rating_out"][:, 0] + w["rating_bias_out"][domain, 0]
        return residuals
