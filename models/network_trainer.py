"""Trains the network in micro-batches and answers with vectors: the slow path's facade."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.catalogue import Catalogue, grown
from models.history import History
from models.interaction import Domain
from models.network import Array, Network, RowTable, Scorer
from models.replay_buffer import Events, ReplayBuffer
from models.transfer import (
    corrected,
    shrinkage_rate,
    source_mean,
    step_fraction,
    transfer_loss,
    uncertainty_weighted,
)

Index = NDArray[np.int64]
DOMAIN_SHIFT = 32
_COUNTS = ("steps", "skipped", "events", "_used")
_PER_DOMAIN = ("_slots", "_item_born", "_popularity", "_vectors")
REFRESH_ROWS = 20_000
"""A domain with up to this many items is refreshed whole after each step (10 ms), a larger one in turn."""


class NetworkLearner:
    """Network, tables, optimizer, replay and cached item vectors behind `learn` and the vector methods.

    Before learning an event, collect `context(user)`; `learn` takes a micro-batch of them. Scoring draws no
    random numbers and changes nothing but a cache of what it computes.
    """

    def __init__(
        self,
        domains: Sequence[Domain],
        catalogues: list[Catalogue],
        history: History,
        dim: int = 32,
        seed: int = 0,
        *,
        user_capacity: int = 100_000,
        hidden: int = 64,
        recent: int = 16,
        recent_decay: float = 0.9,
        replay: int = 256,
        replay_capacity: int = 20_000,
        negatives: int = 512,
        table_rate: float = 0.1,
        dense_rate: float = 3e-3,
        target_weight: float = 0.5,
        kappa: float = 500.0,
        popularity_half_life: float = 5_000.0,
    ) -> None:
        self.domains, self.catalogues, self.history, self.dim = list(domains), catalogues, history, dim
        self.recent, self.replay, self.negatives = recent, replay, negatives
        self.target_weight, self.popularity_half_life = target_weight, popularity_half_life
        self.kappa = [kappa] * len(self.domains)
        """The strength of each target's bias correction; the adaptation loop may change it."""
        self.is_target = np.array([d.is_target for d in self.domains])
        self.steps = self.skipped = self.events = 0
        self.domain_events = np.zeros(len(self.domains), np.int64)
        self._rng = np.random.default_rng(seed)
        self._decay = (recent_decay ** np.arange(recent)).astype(np.float32)
        text = catalogues[0].dim
        generator = torch.Generator().manual_seed(seed)
        self.network = Network(len(self.domains), dim, text, hidden, generator)
        self._scorer = Scorer(self.network)
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=dense_rate)
        self._users = RowTable(user_capacity, dim - 1, table_rate)
        self._items = RowTable(sum(c.ids.capacity for c in catalogues), dim, table_rate, 0.1 / dim**0.5)
        self._slots = [np.full(0, -1, np.int64) for _ in catalogues]  # item row → row of `_items`
        self._free: list[int] = []
        self._used = 0
        self._user_born = np.zeros(0, np.int64)
        self._item_born = [np.zeros(0, np.int64) for _ in catalogues]
        self._popularity = [np.zeros(0, np.float32) for _ in catalogues]
        self._buffer = ReplayBuffer(replay_capacity, recent)
        self._vectors = [np.zeros((0, dim), np.float32) for _ in catalogues]
        self._refreshed = [0] * len(catalogues)
        self._stale: list[set[int]] = [set() for _ in catalogues]

    # --- learning ---------------------------------------------------------------------------------

    def context(self, user: int | None) -> NDArray[np.float64]:
        """(recent, 3): domain, row and time of the user's latest items, newest first; domain -1: none."""
        out = np.full((self.recent, 3), -1.0)
        latest = self.history.recent(user)
        n = min(len(latest.row), self.recent)
        if n:
            out[:n, 0] = latest.domain[: -n - 1 : -1]
            out[:n, 1] = latest.row[: -n - 1 : -1]
            out[:n, 2] = latest.time[: -n - 1 : -1]
        return out

    def learn(
        self,
        domain: NDArray[np.int64],
        user: NDArray[np.int64],
        item: NDArray[np.int64],
        residual: NDArray[np.float32],
        time: NDArray[np.float64],
        recent: NDArray[np.float64] | Sequence[NDArray[np.float64]],
    ) -> float:
        """One micro-batch and a replay sample; returns the loss (nan: skipped). B events:

        domain, user, item: (B,) indices and rows. residual: (B,) rating minus its prediction, nan for clicks.
        time: (B,) seconds. recent: (B, recent, 3), the stacked `context(user)` from before each event.
        """
        stamp = self.events + np.arange(1, len(user) + 1)
        batch = Events(domain, user, item, residual, time, np.asarray(recent, np.float64), stamp)
        self._admit(batch)
        loss = self._step(batch.joined(self._alive(self._buffer.sample(self.replay, self._rng))))
        self.events += len(user)
        if not np.isfinite(loss):
            self.skipped += 1
            return loss
        counts = np.bincount(batch.domain, minlength=len(self.domains))
        self.domain_events += counts
        self._correct_biases(counts)
        self._buffer.add(batch)
        self.steps += 1
        self._refresh(batch)
        return loss

    def _admit(self, batch: Events) -> None:
        """Rows for users and items that have none yet, and the items' decayed counts."""
        self._users.reserve(max(len(self._users.values), int(batch.user.max()) + 1))
        for d in np.unique(batch.domain):
            rows = batch.item[batch.domain == d]
            top = int(rows.max()) + 1
            if top > len(self._slots[d]):
                old = len(self._slots[d])
                self._slots[d] = grown(self._slots[d], top)
                self._slots[d][old:] = -1
            self._popularity[d] = grown(self._popularity[d], top)
            self._popularity[d] *= 0.5 ** (len(rows) / self.popularity_half_life)
            np.add.at(self._popularity[d], rows, 1.0)
            for row in np.unique(rows[self._slots[d][rows] < 0]):
                slot = self._free.pop() if self._free else self._used
                self._used = max(self._used, slot + 1)
                self._items.reserve(self._used)
                self._items.reset(slot, self._rng)
                self._slots[d][row] = slot

    def _alive(self, events: Events) -> Events:
        """Without the events whose user or item row belongs to someone else by now."""
        good = events.stamp > _at(self._user_born, events.user)
        recent = events.recent.copy()
        for d in range(len(self.domains)):
            here = events.domain == d
            good[here] &= events.stamp[here] > _at(self._item_born[d], events.item[here])
            b, near = np.nonzero(recent[:, :, 0] == d)
            gone = events.stamp[b] <= _at(self._item_born[d], recent[b, near, 1].astype(np.int64))
            recent[b[gone], near[gone], 0] = -1
        return events._replace(recent=recent).take(good)

    def _step(self, events: Events) -> float:
        """One gradient step. Every item named anywhere goes through the item tower once."""
        pools = {
            int(d): self._pool(int(d), events.item[events.domain == d]) for d in np.unique(events.domain)
        }
        own = (events.domain << DOMAIN_SHIFT) | events.item  # (B,)
        used = events.recent[:, :, 0] >= 0  # (B, L)
        near = (events.recent[:, :, 0].astype(np.int64) << DOMAIN_SHIFT) | events.recent[:, :, 1].astype(
            np.int64
        )
        codes = np.unique(
            np.concatenate([near[used], *((d << DOMAIN_SHIFT) | pool for d, (pool, _) in pools.items())])
        )
        code_domain, code_row = codes >> DOMAIN_SHIFT, codes & ((1 << DOMAIN_SHIFT) - 1)
        slots = np.empty(len(codes), np.int64)
        text = np.empty((len(codes), self.catalogues[0].dim), np.float32)
        for d in np.unique(code_domain):
            here = code_domain == d
            slots[here] = _at(self._slots[d], code_row[here], -1)
            text[here] = self.catalogues[d].vectors[code_row[here]]
        users, user_at = np.unique(events.user, return_inverse=True)
        item_rows = torch.from_numpy(self._items.rows(slots)).requires_grad_()
        user_rows = torch.from_numpy(self._users.rows(users)).requires_grad_()
        v = self.network.items(item_rows, torch.from_numpy(text), torch.from_numpy(code_domain))  # (M, D)
        near_at = torch.from_numpy(np.searchsorted(codes, np.where(used, near, codes[0])))  # (B, L)
        weights = torch.from_numpy(self._weights(used))  # (B, L)
        mean = torch.einsum("bl,bld->bd", weights, v[near_at, :-1])
        u = self.network.users(user_rows[torch.from_numpy(user_at)], mean)  # (B, D)
        own_at = torch.from_numpy(np.searchsorted(codes, own))
        loss = self._loss(events, u, v, own_at, codes, pools)
        value = float(loss.detach())
        if not np.isfinite(value):
            return float("nan")
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_([*self.network.parameters(), item_rows, user_rows], 10.0)
        if not np.isfinite(float(norm)):
            return float("nan")
        self._optimizer.step()
        self._items.descend(slots, _gradient(item_rows))
        self._users.descend(users, _gradient(user_rows))
        return value

    def _pool(self, domain: int, positives: Index) -> tuple[Index, Array]:
        """Candidate rows of one domain, distinct and sorted: the batch's items and uniform negatives.

        Beside them log Q, the log of how many times each was expected in the sample: subtracted from the
        logits, it makes the sampled softmax consistent (Bengio and Senecal 2008; Yi 2019).
        """
        catalogue = self.catalogues[domain]
        open_rows = np.flatnonzero(catalogue.recommendable[: catalogue.size])
        drawn = open_rows[self._rng.integers(0, len(open_rows), self.negatives if len(open_rows) else 0)]
        pool = np.unique(np.concatenate([positives, drawn]))
        popularity = self._popularity[domain]
        expected = len(positives) * _at(popularity, pool) / popularity.sum() + self.negatives / max(
            len(open_rows), 1
        )
        return pool, np.log(-np.expm1(-expected)).astype(np.float32)

    def _loss(
        self,
        events: Events,
        u: Tensor,
        v: Tensor,
        own_at: Tensor,
        codes: Index,
        pools: dict[int, tuple[Index, Array]],
    ) -> Tensor:
        choice = torch.zeros(len(events.user))  # (B,) a loss an event
        for d, (pool, log_q) in pools.items():
            here = torch.from_numpy(np.flatnonzero(events.domain == d))
            at = torch.from_numpy(np.searchsorted(codes, (d << DOMAIN_SHIFT) | pool))
            logits = u[here] @ v[at].T - torch.from_numpy(log_q)  # (B_d, M_d)
            wanted = torch.from_numpy(np.searchsorted(pool, events.item[here.numpy()]))
            choice = choice.index_put(
                (here,), torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
            )
        target = torch.from_numpy(self.is_target[events.domain])
        total = uncertainty_weighted(self._transferred(choice, target), self.network.log_variance[0])
        rated = torch.from_numpy(np.flatnonzero(np.isfinite(events.residual)))
        if len(rated):
            domain = torch.from_numpy(events.domain)[rated]
            predicted = self.network.ratings(u[rated], v[own_at[rated]], domain)
            error = 0.5 * (predicted - torch.from_numpy(events.residual)[rated]) ** 2
            rating = self._transferred(error, target[rated])
            total = total + uncertainty_weighted(rating, self.network.log_variance[1])
        return total

    def _transferred(self, losses: Tensor, target: Tensor) -> Tensor:
        """L_source + λ L_target, each a sum over its events divided by all events."""
        return transfer_loss(losses[~target].sum(), losses[target].sum(), self.target_weight) / len(losses)

    @torch.no_grad()
    def _correct_biases(self, counts: Index) -> None:
        """After a step: each target's bias vectors a bit toward the mean of its sources'."""
        for t in map(int, np.flatnonzero(self.is_target)):
            sources = [s for s, d in enumerate(self.domains) if d.is_source and s != t]
            if not sources or not counts[t]:
                continue
            fraction = step_fraction(self.adaptation_rate(t), float(counts[t]))
            for bias in self.network.domain_layers.values():
                bias[t] = corrected(bias[t], source_mean(bias, sources), fraction)

    def adaptation_rate(self, domain: int) -> float:
        """How far the domain's bias vectors are drawn to the sources' in 256 of its events, as of now."""
        return shrinkage_rate(self.kappa[domain], float(self.domain_events[domain]))

    # --- vectors ----------------------------------------------------------------------------------

    def _weights(self, used: NDArray[np.bool_]) -> Array:
        """(n, L) decayed weights that sum to 1, or to 0 for a user without recent items."""
        w = np.where(used, self._decay, np.float32(0))
        return np.asarray(w / np.maximum(w.sum(axis=1, keepdims=True), 1e-9), np.float32)

    def user_vectors(self, users: list[int | None]) -> Array:
        """(n, dim), from the table and `History.recent` as they are now."""
        recent = np.stack([self.context(user) for user in users]) if users else np.zeros((0, self.recent, 3))
        used = recent[:, :, 0] >= 0
        near = np.zeros((*used.shape, self.dim - 1), np.float32)  # (n, L, D-1)
        for d in range(len(self.domains)):
            at = recent[:, :, 0] == d
            if at.any():
                near[at] = self.item_vectors(d)[recent[at][:, 1].astype(np.int64), :-1]
        mean = np.einsum("bl,bld->bd", self._weights(used), near)
        rows = np.array([-1 if user is None else user for user in users], np.int64)
        return self._scorer.users(self._users.rows(rows), mean)

    def item_vectors(self, domain: int) -> Array:
        """(catalogue size, dim), read only: current up to the refreshing policy (see REFRESH_ROWS)."""
        size, known = self.catalogues[domain].size, len(self._vectors[domain])
        stale = self._stale[domain]
        if size > known:
            self._vectors[domain] = np.concatenate(
                [self._vectors[domain], np.zeros((size - known, self.dim), np.float32)]
            )
            stale.update(range(known, size))
        if stale:
            rows = np.array(sorted(stale), np.int64)
            self._vectors[domain][rows] = self._forward(domain, rows[rows < size])
            stale.clear()
        return self._vectors[domain]

    def affinity(self, domain: int, users: list[int | None]) -> Array:
        """(n, catalogue size): user · item."""
        return self.user_vectors(users) @ self.item_vectors(domain).T

    def rating_residual(self, domain: int, user: int | None, item: int | None, vector: Array | None) -> float:
        """What the rating head adds to the rating model; `vector`: the text of an item without a row."""
        u = self.user_vectors([user])[0]
        if item is not None:
            v = self.item_vectors(domain)[item]
        else:
            text = np.zeros(self.catalogues[domain].dim, np.float32) if vector is None else vector
            v = self._scorer.item(np.zeros(self.dim, np.float32), text, domain)
        return self._scorer.rating(u, v, domain)

    def touch_item(self, domain: int, row: int) -> None:
        """The item's text has changed: compute its vector anew when next asked for."""
        self._stale[domain].add(row)

    @torch.no_grad()
    def _forward(self, domain: int, rows: Index) -> Array:
        text = torch.from_numpy(self.catalogues[domain].vectors[rows])
        table = torch.from_numpy(self._items.rows(_at(self._slots[domain], rows, -1)))
        out: Array = self.network.items(table, text, torch.full((len(rows),), domain)).numpy()
        return out

    def _refresh(self, batch: Events) -> None:
        for d in range(len(self.domains)):
            size = self.catalogues[d].size
            if (self.steps - self._refreshed[d]) * REFRESH_ROWS >= size:
                self._vectors[d] = self._forward(d, np.arange(size))
                self._refreshed[d] = self.steps
                self._stale[d].clear()
            else:
                self._stale[d].update(np.unique(batch.item[batch.domain == d]).tolist())

    # --- operators, rows, state -------------------------------------------------------------------

    def domain_bias(self, domain: int) -> dict[str, float]:
        """Norm of each of the domain's bias vectors, and its distance to the mean of the sources'."""
        sources = [s for s, d in enumerate(self.domains) if d.is_source and s != domain]
        out = {}
        for name, layer in self.network.domain_layers.items():
            bias = layer.detach()
            out[name] = float(bias[domain].norm())
            if sources:
                out[f"{name}_gap"] = float((bias[domain] - source_mean(bias, sources)).norm())
        return out

    def reset_user(self, row: int) -> None:
        """The row will belong to someone else: clear it, its optimizer state and what is replayed of it."""
        self._users.reset(row)
        self._user_born = grown(self._user_born, row + 1)
        self._user_born[row] = self.events

    def reset_item(self, domain: int, row: int) -> None:
        """As `reset_user`, for an item row; until it is learned again, its text represents it."""
        if row < len(self._slots[domain]):
            if self._slots[domain][row] >= 0:
                self._items.reset(int(self._slots[domain][row]))
                self._free.append(int(self._slots[domain][row]))
                self._slots[domain][row] = -1
            self._popularity[domain][row] = 0.0
        self._item_born[domain] = grown(self._item_born[domain], row + 1)
        self._item_born[domain][row] = self.events
        self._stale[domain].add(row)

    def state(self) -> dict[str, Any]:
        adam = self._optimizer.state
        return {
            "counts": {name: int(getattr(self, name)) for name in _COUNTS},
            "kappa": list(self.kappa),
            "rng": json.dumps(self._rng.bit_generator.state),
            "domain_events": self.domain_events.copy(),
            "user_born": self._user_born.copy(),
            "free": np.array(self._free, np.int64),
            "users": self._users.state(),
            "items": self._items.state(),
            "buffer": self._buffer.state(),
            "network": {name: p.detach().clone() for name, p in self.network.named_parameters()},
            "adam": {
                name: {key: value.clone() for key, value in adam[p].items()}
                for name, p in self.network.named_parameters()
                if p in adam
            },
            "domains": {
                str(d): {name: getattr(self, name)[d].copy() for name in _PER_DOMAIN}
                | {"stale": np.array(sorted(self._stale[d]), np.int64), "refreshed": self._refreshed[d]}
                for d in range(len(self.domains))
            },
        }

    @torch.no_grad()
    def load(self, state: dict[str, Any]) -> None:
        for name in _COUNTS:
            setattr(self, name, int(state["counts"][name]))
        self.kappa = list(state["kappa"])
        self._rng.bit_generator.state = json.loads(state["rng"])
        self.domain_events = state["domain_events"].copy()
        self._user_born = state["user_born"].copy()
        self._free = state["free"].tolist()
        self._users.load(state["users"])
        self._items.load(state["items"])
        self._buffer.load(state["buffer"])
        self._optimizer.state.clear()
        for name, p in self.network.named_parameters():
            p.copy_(state["network"][name])  # in place: the scorer reads this memory
            if name in state["adam"]:
                self._optimizer.state[p] = {k: v.clone() for k, v in state["adam"][name].items()}
        for d in range(len(self.domains)):
            of_domain = state["domains"][str(d)]
            for name in _PER_DOMAIN:
                getattr(self, name)[d] = of_domain[name].copy()
            self._stale[d] = set(of_domain["stale"].tolist())
            self._refreshed[d] = int(of_domain["refreshed"])


def _gradient(leaf: Tensor) -> Array:
    """The gradient of a leaf; zero if nothing depended on it."""
    return np.zeros(tuple(leaf.shape), np.float32) if leaf.grad is None else leaf.grad.numpy()


def _at(array: NDArray[Any], index: Index, missing: int = 0) -> NDArray[Any]:
    """array[index], and `missing` for rows beyond its end."""
    inside = index < len(array)
    if inside.all():
        return array[index]
    out = np.full(len(index), missing, array.dtype)
    out[inside] = array[index[inside]]
    return out
