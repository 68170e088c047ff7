"""The network's forward passes in numpy: torch's overhead would be most of the time for a few users.

n users or events, L recent items, D dimensions of the shared space, F = D-1; as in `two_tower.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.network.two_tower import HIDDEN_LOGIT, Network

Array = NDArray[np.float32]


class NumpyScorer:
    """User tower and rating head. Reads the parameters' own memory, so it is always up to date."""

    def __init__(self, network: Network) -> None:
        self.w: dict[str, Array] = {name: p.detach().numpy() for name, p in network.named_parameters()}

    def users(self, near: Array, used: NDArray[np.bool_], age: Array) -> Array:
        """Return (n, D) user vectors.

        near: (n, L, F) vectors of the recent items, newest first. used: (n, L) whether there is one. age: (n, L)
        days before the newest.
        """
        w = self.w
        (heads, free), query = (len(w["fade"]), near.shape[2]), w["query"].shape[1] // len(w["fade"])
        near = near * used[:, :, None]
        asking = (near[:, 0] @ w["query"] + w["query_bias"]).reshape(-1, heads, query).swapaxes(0, 1)
        key = w["key"].reshape(free, heads, query).transpose(1, 2, 0)  # (A, Q, F)
        asked = (asking @ key).swapaxes(0, 1)  # (A, n, Q) @ (A, Q, F) → (n, A, F)
        logits = asked @ near.swapaxes(1, 2) / np.float32(query**0.5) + w["position"][:, : near.shape[1]]
        logits -= w["fade"][:, None] * np.log1p(age)[:, None, :]
        logits = np.where(used[:, None, :], logits, np.float32(HIDDEN_LOGIT))
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        weights /= weights.sum(axis=2, keepdims=True)
        mean = (weights @ near).reshape(len(near), -1)  # (n, A·F)
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
