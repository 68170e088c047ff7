"""The shared two-tower / NCF network: one user space for all domains, a choice head and a rating head.

B events, M items, L recent items, D dimensions of the shared space, T of the text, H hidden, K domains.

    item   x = [e_i ; z_i]    h = relu(W x + b_d)    v_i = [e_i + P z_i + V h ; g_i]
    user   c = Σ w_l v_l over recent items          u = [e_u + c + V' relu(W' c + b) ; 1]
    choice affinity = u · v_i        (Covington 2016; Yi 2019)
    rating r = w · relu(W2 relu(W1 [u ; v ; u ⊙ v] + c1_d) + c2_d) + c3_d        (NCF: He 2017)

The user side does not know the domain; what is particular to one is a bias vector of its own a hidden layer.
The last component is 1 for users, so an item's last one, g_i, is its popularity.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.catalogue import grown

Array = NDArray[np.float32]


class RowTable:
    """Embedding rows with one Adagrad sum a row; grows by doubling up to `capacity`.

    Gradients come per touched row and only those rows are written: no pass over the whole table.
    Row-wise Adagrad: s ← s + mean(g²), row ← row - η g / (√s + ε)  (Duchi 2011; torchrec's rowwise variant).
    """

    def __init__(self, capacity: int, dim: int, rate: float, spread: float = 0.0) -> None:
        self.capacity, self.dim, self.rate, self.spread = capacity, dim, rate, spread
        self.values = np.zeros((0, dim), np.float32)
        self.sums = np.zeros(0, np.float32)

    def reserve(self, rows: int) -> None:
        """Makes rows 0 … rows-1 exist, zero where new."""
        if rows > self.capacity:
            raise ValueError(f"row {rows - 1} is beyond the table's capacity {self.capacity}")
        self.values, self.sums = grown(self.values, rows), grown(self.sums, rows)

    def reset(self, row: int, rng: np.random.Generator | None = None) -> None:
        """A row for someone else: zero, or small and random where symmetry must be broken."""
        if row < len(self.values):
            self.values[row] = 0.0 if rng is None else self.spread * rng.standard_normal(self.dim)
            self.sums[row] = 0.0

    def rows(self, index: NDArray[np.int64]) -> Array:
        """(n, dim); a row that is not there (or -1) is zero."""
        known = (index >= 0) & (index < len(self.values))
        if len(self.values) == 0:
            return np.zeros((len(index), self.dim), np.float32)
        return np.where(known[:, None], self.values[np.where(known, index, 0)], np.float32(0))

    def descend(self, index: NDArray[np.int64], gradient: Array) -> None:
        """One Adagrad step on distinct rows; -1 is left out."""
        real = index >= 0
        index, gradient = index[real], gradient[real]
        self.sums[index] += (gradient * gradient).mean(axis=1)
        self.values[index] -= self.rate * gradient / (np.sqrt(self.sums[index])[:, None] + 1e-8)

    def state(self) -> dict[str, Any]:
        return {"values": self.values.copy(), "sums": self.sums.copy()}

    def load(self, state: dict[str, Any]) -> None:
        self.values, self.sums = state["values"].copy(), state["sums"].copy()


class Network(nn.Module):
    """The dense parameters and the forward passes. Tables live outside, so that they can grow."""

    def __init__(self, domains: int, dim: int, text: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()

        def matrix(inputs: int, outputs: int, gain: float = 1.0) -> nn.Parameter:
            return nn.Parameter(torch.randn(inputs, outputs, generator=generator) * gain / inputs**0.5)

        self.dim = dim
        free = dim - 1
        self.text = matrix(text, free)
        self.item_in, self.item_out = matrix(free + text, hidden), matrix(hidden, dim, 0.3)
        self.item_bias = nn.Parameter(torch.zeros(domains, hidden))
        self.user_in, self.user_out = matrix(free, hidden), matrix(hidden, free, 0.3)
        self.user_bias = nn.Parameter(torch.zeros(hidden))
        self.rating_in, self.rating_mid = matrix(3 * free, hidden), matrix(hidden, hidden // 2)
        self.rating_out = matrix(hidden // 2, 1, 0.1)
        self.rating_bias_in = nn.Parameter(torch.zeros(domains, hidden))
        self.rating_bias_mid = nn.Parameter(torch.zeros(domains, hidden // 2))
        self.rating_bias_out = nn.Parameter(torch.zeros(domains, 1))
        self.log_variance = nn.Parameter(torch.zeros(2))  # choice, rating

    @property
    def domain_layers(self) -> dict[str, nn.Parameter]:
        """The bias vectors that differ by domain, (K, ·) each: what is corrected toward the source."""
        return {
            "item": self.item_bias,
            "rating_in": self.rating_bias_in,
            "rating_mid": self.rating_bias_mid,
            "rating_out": self.rating_bias_out,
        }

    def items(self, rows: Tensor, text: Tensor, domain: Tensor) -> Tensor:
        """rows: (M, D) = [e_i ; bias], text: (M, T), domain: (M,). Result: (M, D)"""
        x = torch.cat([rows[:, :-1], text], dim=1)  # (M, D-1+T)
        h = torch.relu(x @ self.item_in + self.item_bias[domain])  # (M, H)
        linear = rows + nn.functional.pad(text @ self.text, (0, 1))  # (M, D)
        return linear + h @ self.item_out

    def users(self, rows: Tensor, recent: Tensor) -> Tensor:
        """rows: (B, D-1), recent: (B, D-1) weighted mean of the recent items' vectors. Result: (B, D)"""
        h = torch.relu(recent @ self.user_in + self.user_bias)  # (B, H)
        u = rows + recent + h @ self.user_out  # (B, D-1)
        return nn.functional.pad(u, (0, 1), value=1.0)

    def ratings(self, users: Tensor, items: Tensor, domain: Tensor) -> Tensor:
        """users, items: (B, D), domain: (B,). Result: (B,) the residual."""
        u, v = users[:, :-1], items[:, :-1]
        h = torch.relu(torch.cat([u, v, u * v], dim=1) @ self.rating_in + self.rating_bias_in[domain])
        h = torch.relu(h @ self.rating_mid + self.rating_bias_mid[domain])  # (B, H/2)
        return (h @ self.rating_out + self.rating_bias_out[domain]).squeeze(1)


class Scorer:
    """The same forward passes in numpy for single users: torch's overhead would be most of the time.

    Reads the parameters' own memory, so it is always up to date.
    """

    def __init__(self, network: Network) -> None:
        self.w: dict[str, Array] = {name: p.detach().numpy() for name, p in network.named_parameters()}

    def users(self, rows: Array, recent: Array) -> Array:
        """(n, D-1), (n, D-1) → (n, D)"""
        w = self.w
        h = np.maximum(recent @ w["user_in"] + w["user_bias"], 0)
        out = np.ones((len(rows), rows.shape[1] + 1), np.float32)
        out[:, :-1] = rows + recent + h @ w["user_out"]
        return out

    def item(self, row: Array, text: Array, domain: int) -> Array:
        """(D,), (T,) → (D,)"""
        w = self.w
        h = np.maximum(np.concatenate([row[:-1], text]) @ w["item_in"] + w["item_bias"][domain], 0)
        out: Array = row + h @ w["item_out"]
        out[:-1] += text @ w["text"]
        return out

    def rating(self, user: Array, item: Array, domain: int) -> float:
        """(D,), (D,) → the residual"""
        w = self.w
        u, v = user[:-1], item[:-1]
        h = np.maximum(np.concatenate([u, v, u * v]) @ w["rating_in"] + w["rating_bias_in"][domain], 0)
        h = np.maximum(h @ w["rating_mid"] + w["rating_bias_mid"][domain], 0)
        return float(h @ w["rating_out"][:, 0] + w["rating_bias_out"][domain, 0])
