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
from models.network import HIDDEN_LOGIT, Array, Index, ItemRows, Network, RowTable, Scorer, at
from models.replay_buffer import Events, ReplayBuffer
from models.transfer import (
    corrected,
    shrinkage_rate,
    source_mean,
    step_fraction,
    transfer_loss,
    uncertainty_weighted,
)

DOMAIN_SHIFT = 32
DAY = 86_400.0
LARGEST_GRADIENT = 10.0
REFRESH_ROWS = 20_000
"""A domain with up to this many items is refreshed whole after each step (10 ms), a larger one every few steps."""
_COUNTS = ("steps", "skipped", "events")
_PER_DOMAIN = ("_item_born", "_popularity", "_vectors")


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
        recent: int = 30,
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
        self._text = catalogues[0].dim
        generator = torch.Generator().manual_seed(seed)
        self.network = Network(len(self.domains), dim, self._text, hidden, recent, generator)
        self._scorer = Scorer(self.network)
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=dense_rate)
        self._users = RowTable(user_capacity, dim - 1, table_rate)
        self._items = ItemRows([c.ids.capacity for c in catalogues], dim, table_rate)
        self._buffer = ReplayBuffer(replay_capacity, recent)
        self._user_born = np.zeros(0, np.int64)
        self._item_born = [np.zeros(0, np.int64) for _ in catalogues]
        self._popularity = [np.zeros(0, np.float32) for _ in catalogues]
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
        domain: Index,
        user: Index,
        item: Index,
        residual: Array,
        time: NDArray[np.float64],
        recent: NDArray[np.float64] | Sequence[NDArray[np.float64]],
    ) -> float:
        """One micro-batch and a replay sample; returns the loss (nan: skipped). B events:

        domain, user, item: (B,) indices and rows. residual: (B,) rating minus its prediction, nan for clicks.
        time: (B,) seconds. recent: (B, recent, 3), the stacked `context(user)` from before each event.
        """
        stamp = self.events + np.arange(1, len(user) + 1)
        batch = Events(domain, user, item, residual, time, np.asarray(recent, np.float64), stamp)
        self._users.reserve(int(user.max()) + 1)
        for d in np.unique(domain):
            self._items.admit(int(d), item[domain == d], self._rng)
        past = self._buffer.sample(self.replay, self._rng).surviving(self._user_born, self._item_born)
        loss = self._step(batch.joined(past))
        self.events += len(user)
        if not np.isfinite(loss):
            self.skipped += 1
            return loss
        counts = np.bincount(domain, minlength=len(self.domains))
        self.domain_events += counts
        self._correct_biases(counts)
        self._buffer.add(batch)
        self.steps += 1
        self._count_and_refresh(batch)
        return loss

    def _step(self, events: Events) -> float:
        """One gradient step. Every item named anywhere goes through the item tower once."""
        pools = {
            int(d): self._pool(int(d), events.item[events.domain == d]) for d in np.unique(events.domain)
        }
        used = events.recent[:, :, 0] >= 0  # (B, L)
        near = _code(events.recent[:, :, 0].astype(np.int64), events.recent[:, :, 1].astype(np.int64))
        codes = np.unique(np.concatenate([near[used], *(_code(d, pool) for d, (pool, _) in pools.items())]))
        near_at = np.searchsorted(codes, np.where(used, near, codes[0]))  # (B, L)
        of, row = codes >> DOMAIN_SHIFT, codes & ((1 << DOMAIN_SHIFT) - 1)
        slots, text = np.empty(len(codes), np.int64), np.empty((len(codes), self._text), np.float32)
        for d in map(int, np.unique(of)):
            slots[of == d] = self._items.find(d, row[of == d])
            text[of == d] = self.catalogues[d].vectors[row[of == d]]
        users, user_at = np.unique(events.user, return_inverse=True)
        item_rows = torch.from_numpy(self._items.table.rows(slots)).requires_grad_()
        user_rows = torch.from_numpy(self._users.rows(users)).requires_grad_()
        v = self.network.items(item_rows, torch.from_numpy(text), torch.from_numpy(of))  # (M, D)
        u = self.network.users(  # (B, D)
            user_rows[torch.from_numpy(user_at)],
            v[torch.from_numpy(near_at), :-1],
            torch.from_numpy(used),
            torch.from_numpy(_age(events.recent[:, :, 2], used)),
        )
        loss = self._loss(events, u, v, codes, pools)
        if not torch.isfinite(loss):
            return float("nan")
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        leaves = [*self.network.parameters(), item_rows, user_rows]
        if not torch.isfinite(torch.nn.utils.clip_grad_norm_(leaves, LARGEST_GRADIENT)):
            return float("nan")
        self._optimizer.step()
        self._items.table.descend(slots, _gradient(item_rows))
        self._users.descend(users, _gradient(user_rows))
        return float(loss.detach())

    def _pool(self, domain: int, positives: Index) -> tuple[Index, Array]:
        """Candidate rows of one domain, distinct and sorted: the batch's items and uniform negatives.

        Beside them log Q, the log of the probability that each is in the sample: subtracted from the logits,
        it makes the sampled softmax consistent (Bengio and Senecal 2008; Yi et al. 2019).
        """
        catalogue, popularity = self.catalogues[domain], self._popularity[domain]
        open_rows = np.flatnonzero(catalogue.recommendable[: catalogue.size])
        n = self.negatives if len(open_rows) else 0
        pool = np.unique(
            np.concatenate([positives, open_rows[self._rng.integers(0, max(len(open_rows), 1), n)]])
        )
        share = np.maximum(at(popularity, pool), 1e-6) / max(float(popularity.sum()), 1.0)
        expected = len(positives) * share + self.negatives / max(len(open_rows), 1)
        return pool, np.log(-np.expm1(-expected)).astype(np.float32)

    def _loss(
        self, events: Events, u: Tensor, v: Tensor, codes: Index, pools: dict[int, tuple[Index, Array]]
    ) -> Tensor:
        """Choice: softmax over the pool, without what the user had lately. Rating: squared error. Weighted."""
        target = torch.from_numpy(self.is_target[events.domain])
        choice = torch.zeros(len(target))  # (B,) a loss an event
        for d, (pool, log_q) in pools.items():
            here = np.flatnonzero(events.domain == d)
            wanted = np.searchsorted(pool, events.item[here])
            candidates = v[torch.from_numpy(np.searchsorted(codes, _code(d, pool)))]  # (M_d, D)
            logits = u[torch.from_numpy(here)] @ candidates.T - torch.from_numpy(log_q)  # (B_d, M_d)
            logits = logits.masked_fill(
                torch.from_numpy(_had(events.recent[here], d, pool, wanted)), HIDDEN_LOGIT
            )
            losses = torch.nn.functional.cross_entropy(logits, torch.from_numpy(wanted), reduction="none")
            choice = choice.index_put((torch.from_numpy(here),), losses)
        total = uncertainty_weighted(self._transferred(choice, target), self.network.log_variance[0])
        rated = np.flatnonzero(np.isfinite(events.residual))
        if not len(rated):
            return total
        own = np.searchsorted(codes, _code(events.domain[rated], events.item[rated]))
        some, domain = torch.from_numpy(rated), torch.from_numpy(events.domain[rated])
        predicted = self.network.ratings(u[some], v[torch.from_numpy(own)], domain)
        error = 0.5 * (predicted - torch.from_numpy(events.residual[rated])) ** 2
        return total + uncertainty_weighted(
            self._transferred(error, target[some]), self.network.log_variance[1]
        )

    def _transferred(self, losses: Tensor, target: Tensor) -> Tensor:
        """L_source + λ L_target, each a sum over its events divided by all events."""
        return transfer_loss(losses[~target].sum(), losses[target].sum(), self.target_weight) / len(losses)

    @torch.no_grad()
    def _correct_biases(self, counts: Index) -> None:
        """After a step: each target's bias vectors a bit toward the mean of its sources'."""
        for t in map(int, np.flatnonzero(self.is_target)):
            sources = self._sources(t)
            if sources and counts[t]:
                fraction = step_fraction(self.adaptation_rate(t), float(counts[t]))
                for bias in self.network.domain_layers.values():
                    bias[t] = corrected(bias[t], source_mean(bias, sources), fraction)

    def adaptation_rate(self, domain: int) -> float:
        """How far the domain's bias vectors are drawn to the sources' in 256 of its events, as of now."""
        return shrinkage_rate(self.kappa[domain], float(self.domain_events[domain]))

    def _sources(self, domain: int) -> list[int]:
        return [s for s, d in enumerate(self.domains) if d.is_source and s != domain]

    # --- vectors ----------------------------------------------------------------------------------

    def user_vectors(self, users: list[int | None]) -> Array:
        """(n, dim), from the table and `History.recent` as they are now."""
        if not users:
            return np.zeros((0, self.dim), np.float32)
        recent = np.stack([self.context(user) for user in users])  # (n, L, 3)
        used = recent[:, :, 0] >= 0
        near = np.zeros((*used.shape, self.dim - 1), np.float32)  # (n, L, F)
        for d in range(len(self.domains)):
            here = recent[:, :, 0] == d
            if here.any():
                near[here] = self.item_vectors(d)[recent[here][:, 1].astype(np.int64), :-1]
        rows = self._users.rows(np.array([-1 if user is None else user for user in users], np.int64))
        return self._scorer.users(rows, near, used, _age(recent[:, :, 2], used))

    def item_vectors(self, domain: int) -> Array:
        """(catalogue size, dim), read only: current up to the refreshing policy (see REFRESH_ROWS)."""
        size, known = self.catalogues[domain].size, len(self._vectors[domain])
        stale = self._stale[domain]
        if size > known:
            missing = np.zeros((size - known, self.dim), np.float32)
            self._vectors[domain] = np.concatenate([self._vectors[domain], missing])
            stale.update(range(known, size))
        if stale:
            rows = np.array(sorted(stale), np.int64)
            self._vectors[domain][rows] = self._forward(domain, rows)
            stale.clear()
        return self._vectors[domain]

    def affinity(self, domain: int, users: list[int | None]) -> Array:
        """(n, catalogue size): user · item."""
        return self.user_vectors(users) @ self.item_vectors(domain).T

    def rating_residual(self, domain: int, user: int | None, item: int | None, vector: Array | None) -> float:
        """What the rating head adds to the rating model; `vector`: the text of an item without a row."""
        if item is not None:
            v = self.item_vectors(domain)[item]
        else:
            v = self._scorer.item(np.zeros(self._text, np.float32) if vector is None else vector, domain)
        return self._scorer.rating(self.user_vectors([user])[0], v, domain)

    def touch_item(self, domain: int, row: int) -> None:
        """The item's text has changed: compute its vector anew when next asked for."""
        self._stale[domain].add(row)

    @torch.no_grad()
    def _forward(self, domain: int, rows: Index) -> Array:
        text = torch.from_numpy(self.catalogues[domain].vectors[rows])
        table = torch.from_numpy(self._items.table.rows(self._items.find(domain, rows)))
        out: Array = self.network.items(table, text, torch.full((len(rows),), domain)).numpy()
        return out

    def _count_and_refresh(self, batch: Events) -> None:
        for d, catalogue in enumerate(self.catalogues):
            rows = batch.item[batch.domain == d]
            if len(rows):
                self._popularity[d] = grown(self._popularity[d], int(rows.max()) + 1)
                self._popularity[d] *= 0.5 ** (len(rows) / self.popularity_half_life)
                np.add.at(self._popularity[d], rows, 1.0)
            if (self.steps - self._refreshed[d]) * REFRESH_ROWS >= catalogue.size:
                self._vectors[d] = self._forward(d, np.arange(catalogue.size))
                self._refreshed[d] = self.steps
                self._stale[d].clear()
            else:
                self._stale[d].update(rows.tolist())

    # --- operators, rows, state -------------------------------------------------------------------

    def domain_bias(self, domain: int) -> dict[str, float]:
        """Norm of each of the domain's bias vectors, and its distance to the mean of the sources'."""
        sources, out = self._sources(domain), {}
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
        self._items.drop(domain, row)
        if row < len(self._popularity[domain]):
            self._popularity[domain][row] = 0.0
        self._item_born[domain] = grown(self._item_born[domain], row + 1)
        self._item_born[domain][row] = self.events
        self._stale[domain].add(row)

    def state(self) -> dict[str, Any]:
        adam, named = self._optimizer.state, dict(self.network.named_parameters())
        return {
            "counts": {name: int(getattr(self, name)) for name in _COUNTS},
            "kappa": list(self.kappa),
            "rng": json.dumps(self._rng.bit_generator.state),
            "domain_events": self.domain_events.copy(),
            "user_born": self._user_born.copy(),
            "users": self._users.state(),
            "items": self._items.state(),
            "buffer": self._buffer.state(),
            "network": {name: p.detach().clone() for name, p in named.items()},
            "adam": {n: {k: v.clone() for k, v in adam[p].items()} for n, p in named.items() if p in adam},
            "domains": {
                str(d): {name: getattr(self, name)[d].copy() for name in _PER_DOMAIN}
                | {"stale": np.array(sorted(self._stale[d]), np.int64), "refreshed": int(self._refreshed[d])}
                for d in range(len(self.domains))
            },
        }

    @torch.no_grad()
    def load(self, state: dict[str, Any]) -> None:
        for name in _COUNTS:
            setattr(self, name, int(state["counts"][name]))
        self.kappa = list(state["kappa"])
        self._rng.bit_generator.state = json.loads(state["rng"])
        self.domain_events, self._user_born = state["domain_events"].copy(), state["user_born"].copy()
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


def _code(domain: int | Index, row: Index) -> Index:
    """One number for an item of any domain."""
    return np.asarray((domain << DOMAIN_SHIFT) | row)


def _age(time: NDArray[np.float64], used: NDArray[np.bool_]) -> Array:
    """(n, L) days before the newest: so a vector depends on the visit's pauses, not on the clock."""
    days = np.maximum(time[:, :1] - time, 0.0) / DAY
    return np.where(used, days, 0.0).astype(np.float32)


def _had(recent: NDArray[np.float64], domain: int, pool: Index, wanted: Index) -> NDArray[np.bool_]:
    """(B_d, M_d): which candidates a user had lately and so would not be shown; never the wanted one."""
    b, near = np.nonzero(recent[:, :, 0] == domain)
    rows = recent[b, near, 1].astype(np.int64)
    place = np.minimum(np.searchsorted(pool, rows), len(pool) - 1)
    found = (pool[place] == rows) & (place != wanted[b])
    out = np.zeros((len(recent), len(pool)), np.bool_)
    out[b[found], place[found]] = True
    return out


def _gradient(leaf: Tensor) -> Array:
    """The gradient of a leaf; zero if nothing depended on it."""
    return np.zeros(tuple(leaf.shape), np.float32) if leaf.grad is None else leaf.grad.numpy()
