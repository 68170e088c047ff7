"""The shared two-tower / NCF network: one user space for all domains, a choice head and a rating head.

B events, M items, L recent items, D dimensions of the shared space, F = D-1, T of the text, H hidden, K domains,
A attention heads, Q dimensions of a query.

    item    h = relu(W [e_i ; z_i] + b_d)        v_i = [e_i + P z_i ; 0] + V h + c_d = [w_i ; g_i]
    user    m_a = Σ_l softmax_l(q_a · k_al / √Q + p_al - f_a log(1 + age_l)) w_l      over the recent items l
            u = [e_u + M m + V' relu(W' m + b') ; 1]                                m = [m_1 ; … ; m_A]
    choice  affinity = u · v_i
    rating  residual = r · relu(W2 relu(W1 [u ; w_i ; u ⊙ w_i] + c1_d) + c2_d) + c3_d

The query q_a comes from the latest item, the key k_al from item l. Heads start as means that forget at different
speeds (p), so that the last item, the visit and the long run each have one; f makes a pause count.
The user side does not know the domain; what is particular to one is a bias vector of its own a hidden layer.
The last component is 1 for users, so an item's last one, g_i, is its popularity.
Sources: two towers, Yi et al. (2019); attention over the last items, Kang and McAuley, SASRec (2018), with the
linear position bias of ALiBi (Press 2022); rating head, He et al., NCF (2017).
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.state.dirty_keys import Touched
from models.state.tracked_tables import Live, Rows
from models.tables.catalogue import grown
from models.tables.replay_buffer import at

Array = NDArray[np.float32]
Index = NDArray[np.int64]
FORGETTING = (0.3, 0.7, 0.9, 1.0)
"""What a position further back starts to weigh, by head."""
HIDDEN_LOGIT = -1e9


class Table(Protocol):
    """What a step needs of a table of rows."""

    dim: int

    def rows(self, index: Index) -> Array: ...

    def descend(self, index: Index, gradient: Tensor | None) -> None: ...

    def live(self) -> Any: ...


class ItemTable(Protocol):
    """And of that of the items."""

    @property
    def table(self) -> Table: ...

    def find(self, domain: int, rows: Index) -> Index: ...


class Overlay(Protocol):
    """A second version of a table; see `models/row_overlay.py`."""

    def keep(self, index: Index) -> None: ...

    def put(self, row: int, values: Array) -> None: ...

    def reset(self, row: int) -> None: ...


class RowTable(Live):
    """Embedding rows with one Adagrad sum a row; grows by doubling up to `capacity`.

    Gradients come per touched row and only those rows are written: no pass over the whole table.
    Row-wise Adagrad: s ← s + mean(g²), row ← row - η g / (√s + ε)  (Duchi 2011; torchrec's rowwise variant).
    """

    def __init__(self, capacity: int, dim: int, rate: float) -> None:
        self.capacity, self.dim, self.rate = capacity, dim, rate
        self.values = np.zeros((0, dim), np.float32)
        self.sums = np.zeros(0, np.float32)
        self.written = Touched()
        self.overlay: Overlay | None = None
        """A second version of the rows, which is told before any of them changes."""

    def reserve(self, rows: int) -> None:
        """Makes rows 0 … rows-1 exist, zero where new."""
        if rows > self.capacity:
            raise ValueError(f"row {rows - 1} is beyond the table's capacity {self.capacity}")
        self.values, self.sums = (grown(a, rows)[: self.capacity] for a in (self.values, self.sums))

    def put(self, row: int, values: Array) -> None:
        """(dim - 1,): what a row begins with, beside a last 0."""
        self.written.add(row)
        self.values[row, :-1] = values
        if self.overlay is not None:
            self.overlay.put(row, values)

    def reset(self, row: int) -> None:
        if row < len(self.values):
            self.written.add(row)
            self.values[row] = self.sums[row] = 0.0
            if self.overlay is not None:
                self.overlay.reset(row)

    def rows(self, index: Index) -> Array:
        """(n, dim); a row that is not there (or -1) is zero."""
        out = np.zeros((len(index), self.dim), np.float32)
        known = (index >= 0) & (index < len(self.values))
        out[known] = self.values[index[known]]
        return out

    def descend(self, index: Index, gradient: Tensor | None) -> None:
        """One Adagrad step on distinct rows; -1 is left out. None: nothing depended on them."""
        if gradient is None:
            return
        real = index >= 0
        index, g = index[real], gradient.numpy()[real]
        if self.overlay is not None:
            self.overlay.keep(index)
        self.written.update(index.tolist())
        self.sums[index] += (g * g).mean(axis=1)
        self.values[index] -= self.rate * g / (np.sqrt(self.sums[index])[:, None] + 1e-8)

    def live(self) -> dict[str, Any]:
        return {"values": Rows(self.written, self.values), "sums": Rows(self.written, self.sums)}

    def load(self, state: dict[str, Any]) -> None:
        self.values, self.sums = state["values"].copy(), state["sums"].copy()
        self.written.everything()


class ItemRows(Live):
    """One table for the items of all domains. An item gets a row of it when it is first learned."""

    def __init__(self, capacities: list[int], dim: int, rate: float) -> None:
        self.table = RowTable(sum(capacities), dim, rate)
        self._row = [np.zeros(0, np.int64) for _ in capacities]
        """By catalogue row: 1 + the table's row; 0 if it has none."""
        self._free: list[int] = []
        self._used = 0

    def find(self, domain: int, rows: Index) -> Index:
        """Table rows of catalogue rows; -1 for those without: their text represents them."""
        return np.asarray(at(self._row[domain], rows) - 1)

    def admit(self, domain: int, rows: Index, rng: np.random.Generator) -> None:
        """Small random rows (popularity 0) for those without: equal rows would stay equal."""
        self._row[domain] = grown(self._row[domain], int(rows.max()) + 1)
        for row in np.unique(rows[self._row[domain][rows] == 0]):
            new = self._free.pop() if self._free else self._used
            self._used = max(self._used, new + 1)
            self.table.reserve(self._used)
            scale, values = 0.1 / self.table.dim**0.5, rng.standard_normal(self.table.dim - 1)
            self.table.put(new, (scale * values).astype(np.float32))
            self._row[domain][row] = new + 1

    def drop(self, domain: int, row: int) -> None:
        if row < len(self._row[domain]) and self._row[domain][row]:
            old = int(self._row[domain][row]) - 1
            self.table.reset(old)
            self._free.append(old)
            self._row[domain][row] = 0

    def live(self) -> dict[str, Any]:
        return {
            "table": self.table.live(),
            "row": {str(d): row for d, row in enumerate(self._row)},
            "free": np.array(self._free, np.int64),
            "used": self._used,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.table.load(state["table"])
        self._row = [state["row"][str(d)].copy() for d in range(len(self._row))]
        self._free, self._used = state["free"].tolist(), int(state["used"])
        self.table.capacity = max(
            self.table.capacity, self._used
        )  # free ones of a domain that is gone count too


class Network(nn.Module):
    """The dense parameters and the forward passes. Tables live outside, so that they can grow."""

    def __init__(
        self, domains: int, dim: int, text: int, hidden: int, recent: int, generator: torch.Generator
    ) -> None:
        super().__init__()

        def matrix(inputs: int, outputs: int, gain: float = 1.0) -> nn.Parameter:
            return nn.Parameter(torch.randn(inputs, outputs, generator=generator) * gain / inputs**0.5)

        def zeros(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.zeros(*shape))

        free, heads, query = dim - 1, len(FORGETTING), 16
        self.text = matrix(text, free)
        self.item_in, self.item_out = matrix(free + text, hidden), matrix(hidden, dim, 0.3)
        self.item_bias_in, self.item_bias_out = zeros(domains, hidden), zeros(domains, dim)
        self.query, self.query_bias = matrix(free, heads * query), zeros(heads * query)
        self.key = matrix(free, heads * query)
        self.position = nn.Parameter(torch.tensor(FORGETTING).log()[:, None] * torch.arange(float(recent)))
        self.fade = zeros(heads)
        self.user_mix = nn.Parameter(torch.eye(free).repeat(heads, 1) / heads)
        self.user_in, self.user_out = matrix(heads * free, hidden), matrix(hidden, free, 0.3)
        self.user_bias = zeros(hidden)
        self.rating_in, self.rating_mid = matrix(3 * free, hidden), matrix(hidden, hidden // 2)
        self.rating_out = matrix(hidden // 2, 1, 0.1)
        self.rating_bias_in, self.rating_bias_mid = zeros(domains, hidden), zeros(domains, hidden // 2)
        self.rating_bias_out = zeros(domains, 1)
        self.log_variance = zeros(2)  # of the tasks: choice, rating

    @property
    def domain_layers(self) -> dict[str, nn.Parameter]:
        """The bias vectors that differ by domain, (K, ·) each: what is corrected toward the source."""
        return {
            "item_in": self.item_bias_in,
            "item_out": self.item_bias_out,
            "rating_in": self.rating_bias_in,
            "rating_mid": self.rating_bias_mid,
            "rating_out": self.rating_bias_out,
        }

    def items(self, rows: Tensor, text: Tensor, domain: Tensor) -> Tensor:
        """rows: (M, D), text: (M, T), domain: (M,). Result: (M, D)"""
        x = torch.cat([rows[:, :-1], text], dim=1)  # (M, F+T)
        h = torch.relu(x @ self.item_in + self.item_bias_in[domain])  # (M, H)
        linear = rows + nn.functional.pad(text @ self.text, (0, 1))  # (M, D)
        return linear + h @ self.item_out + self.item_bias_out[domain]

    def users(self, rows: Tensor, near: Tensor, used: Tensor, age: Tensor) -> Tensor:
        """The user tower.

        rows: (B, F). near: (B, L, F) vectors of the recent items, newest first. used: (B, L) whether there is
        one. age: (B, L) days before the newest. Result: (B, D)
        """
        count, heads = len(rows), len(self.fade)
        near = near * used[:, :, None]
        query = (near[:, 0] @ self.query + self.query_bias).view(count, heads, -1)  # (B, A, Q)
        # (K w) · q = w · (K' q), and the right side needs no key for each of the L items.
        asked = torch.einsum("baq,faq->baf", query, self.key.view(-1, heads, query.shape[2]))  # (B, A, F)
        logits = asked @ near.transpose(1, 2) / query.shape[2] ** 0.5 + self.position  # (B, A, L)
        logits = logits - self.fade[:, None] * torch.log1p(age)[:, None, :]
        logits = logits.masked_fill(~used[:, None, :], HIDDEN_LOGIT)
        mean = (torch.softmax(logits, dim=2) @ near).flatten(1)  # (B, A, L) @ (B, L, F) → (B, A·F)
        h = torch.relu(mean @ self.user_in + self.user_bias)  # (B, H)
        u = rows + mean @ self.user_mix + h @ self.user_out  # (B, F)
        return nn.functional.pad(u, (0, 1), value=1.0)

    def ratings(self, users: Tensor, items: Tensor, domain: Tensor) -> Tensor:
        """users, items: (B, D), domain: (B,). Result: (B,) the residual."""
        u, v = users[:, :-1], items[:, :-1]
        h = torch.relu(torch.cat([u, v, u * v], dim=1) @ self.rating_in + self.rating_bias_in[domain])
        h = torch.relu(h @ self.rating_mid + self.rating_bias_mid[domain])  # (B, H/2)
        return (h @ self.rating_out + self.rating_bias_out[domain]).squeeze(1)


class Scorer:
    """The same forward passes in numpy for a few users: torch's overhead would be most of the time.

    Reads the parameters' own memory, so it is always up to date.
    """

    def __init__(self, network: Network) -> None:
        self.w: dict[str, Array] = {name: p.detach().numpy() for name, p in network.named_parameters()}

    def users(self, rows: Array, near: Array, used: NDArray[np.bool_], age: Array) -> Array:
        """As `Network.users`."""
        w = self.w
        (heads, free), query = (len(w["fade"]), rows.shape[1]), w["query"].shape[1] // len(w["fade"])
        near = near * used[:, :, None]
        asking = (near[:, 0] @ w["query"] + w["query_bias"]).reshape(-1, heads, query).swapaxes(0, 1)
        key = w["key"].reshape(free, heads, query).transpose(1, 2, 0)  # (A, Q, F)
        asked = (asking @ key).swapaxes(0, 1)  # (A, B, Q) @ (A, Q, F) → (B, A, F)
        logits = asked @ near.swapaxes(1, 2) / np.float32(query**0.5) + w["position"][:, : near.shape[1]]
        logits -= w["fade"][:, None] * np.log1p(age)[:, None, :]
        logits = np.where(used[:, None, :], logits, np.float32(HIDDEN_LOGIT))
        weights = np.exp(logits - logits.max(axis=2, keepdims=True))
        weights /= weights.sum(axis=2, keepdims=True)
        mean = (weights @ near).reshape(len(rows), -1)  # (B, A·F)
        h = np.maximum(mean @ w["user_in"] + w["user_bias"], 0)
        out = np.ones((len(rows), free + 1), np.float32)
        out[:, :-1] = rows + mean @ w["user_mix"] + h @ w["user_out"]
        return out

    def rating(self, user: Array, item: Array, domain: int) -> float:
        """(D,), (D,) → the residual. As `Network.ratings`."""
        w = self.w
        u, v = user[:-1], item[:-1]
        h = np.maximum(np.concatenate([u, v, u * v]) @ w["rating_in"] + w["rating_bias_in"][domain], 0)
        h = np.maximum(h @ w["rating_mid"] + w["rating_bias_mid"][domain], 0)
        return float(h @ w["rating_out"][:, 0] + w["rating_bias_out"][domain, 0])
