"""Trains the network in micro-batches and answers with vectors: the slow path's facade."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import transfer
from models.catalogue import Catalogue
from models.history import History, Recent
from models.interaction import Domain
from models.network import HIDDEN_LOGIT, Array, Index, ItemRows, ItemVectors, Network, RowTable, Scorer
from models.replay_buffer import Events, Frequency, ReplayBuffer, age, coded, item_code, newest_first, used

LARGEST_GRADIENT = 10.0


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
        item_rate: float = 0.1,
        user_rate: float = 0.03,
        dense_rate: float = 3e-3,
        target_weight: float = 0.5,
        kappa: float = 500.0,
        popularity_half_life: float = 5_000.0,
    ) -> None:
        self.domains, self.catalogues, self.history, self.dim = list(domains), catalogues, history, dim
        self.recent, self.replay, self.negatives = recent, replay, negatives
        self.target_weight = target_weight
        self.kappa = [kappa] * len(self.domains)
        """The strength of each target's bias correction; the adaptation loop may change it."""
        self.is_target = np.array([d.is_target for d in self.domains])
        self.steps = self.skipped = self._version = 0
        self._memo: tuple[int | None, int, Recent, Array] | None = None
        """The vector asked for last: an event's ranking and its rating need the same one."""
        self.domain_events = np.zeros(len(self.domains), np.int64)
        self._rng = np.random.default_rng(seed)
        self._text = catalogues[0].dim
        generator = torch.Generator().manual_seed(seed)
        self.network = Network(len(self.domains), dim, self._text, hidden, recent, generator)
        self._scorer = Scorer(self.network)
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=dense_rate)
        self._users = RowTable(user_capacity, dim - 1, user_rate)
        self._items = ItemRows([c.ids.capacity for c in catalogues], dim, item_rate)
        self._buffer = ReplayBuffer(replay_capacity, recent, len(catalogues))
        self._frequency = [Frequency(popularity_half_life) for _ in catalogues]
        self._vectors = [
            ItemVectors(d, catalogue, self.network, self._items) for d, catalogue in enumerate(catalogues)
        ]

    # --- learning ---------------------------------------------------------------------------------

    def context(self, user: int | None) -> NDArray[np.float64]:
        """(recent, 3): domain, row and time of the user's latest items, newest first; domain -1: none."""
        return newest_first(self.history.recent(user), self.recent)

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
        self._version += 1
        batch = Events(domain, user, item, residual, time, np.asarray(recent, np.float64))
        self._users.reserve(int(user.max()) + 1)
        for d in np.unique(domain):
            self._items.admit(int(d), item[domain == d], self._rng)
        loss = self._step(batch.joined(self._buffer.sample(self.replay, self._rng)))
        if not np.isfinite(loss):
            self.skipped += 1
            return loss
        counts = np.bincount(domain, minlength=len(self.domains))
        self.domain_events += counts
        for t in map(int, np.flatnonzero(self.is_target & (counts > 0))):
            if sources := self._sources(t):
                fraction = transfer.step_fraction(self.adaptation_rate(t), float(counts[t]))
                transfer.correct_toward_sources(self.network.domain_layers, t, sources, fraction)
        self._buffer.add(batch)
        self.steps += 1
        for d, vectors in enumerate(self._vectors):
            rows = item[domain == d]
            self._frequency[d].add(rows)
            vectors.stepped(rows)
        return loss

    def _step(self, events: Events) -> float:
        """One gradient step. Every item named anywhere goes through the item tower once."""
        domains = map(int, np.unique(events.domain))
        pools = {d: self._pool(d, events.item[events.domain == d]) for d in domains}
        present, near = events.used, events.recent_codes()  # (B, L)
        candidates = [item_code(d, pool) for d, (pool, _) in pools.items()]
        codes = np.unique(np.concatenate([near[present], *candidates]))
        near_at = np.searchsorted(codes, np.where(present, near, codes[0]))  # (B, L)
        of, row = coded(codes)
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
            torch.from_numpy(present),
            torch.from_numpy(age(events.recent)),
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
        self._items.table.descend(slots, item_rows.grad)
        self._users.descend(users, user_rows.grad)
        return float(loss.detach())

    def _pool(self, domain: int, positives: Index) -> tuple[Index, Array]:
        catalogue = self.catalogues[domain]
        others = np.flatnonzero(catalogue.recommendable[: catalogue.size])
        return self._frequency[domain].pool(positives, others, self.negatives, self._rng)

    def _loss(
        self, events: Events, u: Tensor, v: Tensor, codes: Index, pools: dict[int, tuple[Index, Array]]
    ) -> Tensor:
        """Choice: softmax over the pool, without what the user had lately. Rating: squared error. Weighted."""
        target = torch.from_numpy(self.is_target[events.domain])
        choice = torch.zeros(len(target))  # (B,) a loss an event
        for d, (pool, log_q) in pools.items():
            here = np.flatnonzero(events.domain == d)
            wanted = np.searchsorted(pool, events.item[here])
            candidates = v[torch.from_numpy(np.searchsorted(codes, item_code(d, pool)))]  # (M_d, D)
            logits = u[torch.from_numpy(here)] @ candidates.T - torch.from_numpy(log_q)  # (B_d, M_d)
            had = torch.from_numpy(events.take(here).had(d, pool, wanted))
            logits = logits.masked_fill(had, HIDDEN_LOGIT)
            losses = torch.nn.functional.cross_entropy(logits, torch.from_numpy(wanted), reduction="none")
            choice = choice.index_put((torch.from_numpy(here),), losses)
        total = transfer.uncertainty_weighted(self._transferred(choice, target), self.network.log_variance[0])
        rated = np.flatnonzero(np.isfinite(events.residual))
        if not len(rated):
            return total
        own = torch.from_numpy(np.searchsorted(codes, item_code(events.domain[rated], events.item[rated])))
        some = torch.from_numpy(rated)
        predicted = self.network.ratings(u[some], v[own], torch.from_numpy(events.domain[rated]))
        error = 0.5 * (predicted - torch.from_numpy(events.residual[rated])) ** 2
        rating = self._transferred(error, target[some])
        return total + transfer.uncertainty_weighted(rating, self.network.log_variance[1])

    def _transferred(self, losses: Tensor, target: Tensor) -> Tensor:
        """L_source + λ L_target, each a sum over its events divided by all events."""
        source, own = losses[~target].sum(), losses[target].sum()
        return transfer.transfer_loss(source, own, self.target_weight) / len(losses)

    def adaptation_rate(self, domain: int) -> float:
        """How far the domain's bias vectors are drawn to the sources' in 256 of its events, as of now."""
        return transfer.shrinkage_rate(self.kappa[domain], float(self.domain_events[domain]))

    def _sources(self, domain: int) -> list[int]:
        return [s for s, d in enumerate(self.domains) if d.is_source and s != domain]

    # --- vectors ----------------------------------------------------------------------------------

    def user_vectors(self, users: list[int | None]) -> Array:
        """(n, dim), from the table and `History.recent` as they are now."""
        if not users:
            return np.zeros((0, self.dim), np.float32)
        latest = [self.history.recent(user) for user in users]
        if len(users) == 1 and self._memo is not None:
            user, version, seen, vectors = self._memo
            if (user, version) == (users[0], self._version) and seen is latest[0]:
                return vectors.copy()
        length = min(max(len(one.row) for one in latest) or 1, self.recent)
        recent = np.stack([newest_first(one, length) for one in latest])  # (n, L, 3)
        present = used(recent)  # (n, L)
        near = np.zeros((*present.shape, self.dim - 1), np.float32)  # (n, L, F)
        for d in range(len(self.domains)):
            here = recent[:, :, 0] == d
            if here.any():
                near[here] = self.item_vectors(d)[recent[here][:, 1].astype(np.int64), :-1]
        rows = self._users.rows(np.array([-1 if user is None else user for user in users], np.int64))
        vectors = self._scorer.users(rows, near, present, age(recent))
        if len(users) == 1:
            self._memo = (users[0], self._version, latest[0], vectors.copy())
        return vectors

    def item_vectors(self, domain: int) -> Array:
        """(catalogue size, dim), not to be written to: current as far as `ItemVectors` refreshes."""
        return self._vectors[domain].get()

    def affinity(self, domain: int, users: list[int | None]) -> Array:
        """(n, catalogue size): user · item."""
        return self.user_vectors(users) @ self.item_vectors(domain).T

    def rating_residual(self, domain: int, user: int | None, item: int | None, vector: Array | None) -> float:
        """What the rating head adds to the rating model; `vector`: the text of an item without a row."""
        if item is not None:
            v = self.item_vectors(domain)[item]
        else:
            v = self._vectors[domain].of_text(np.zeros(self._text, np.float32) if vector is None else vector)
        return self._scorer.rating(self.user_vectors([user])[0], v, domain)

    def touch_item(self, domain: int, row: int) -> None:
        """The item's text has changed: compute its vector anew when next asked for."""
        self._version += 1
        self._vectors[domain].touch(row)

    # --- operators, rows, state -------------------------------------------------------------------

    def domain_bias(self, domain: int) -> dict[str, float]:
        """Norm of each of the domain's bias vectors, and its distance to the mean of the sources'."""
        return transfer.bias_terms(self.network.domain_layers, domain, self._sources(domain))

    def reset_user(self, row: int) -> None:
        """The row will belong to someone else: clear it, its optimizer state and what is replayed of it."""
        self._version += 1
        self._users.reset(row)
        self._buffer.forget_user(row)

    def reset_item(self, domain: int, row: int) -> None:
        """As `reset_user`, for an item row; until it is learned again, its text represents it."""
        self._version += 1
        self._items.drop(domain, row)
        self._frequency[domain].forget(row)
        self._buffer.forget_item(domain, row)
        self._vectors[domain].touch(row)

    def state(self) -> dict[str, Any]:
        adam, named = self._optimizer.state, dict(self.network.named_parameters())
        return {
            "steps": self.steps,
            "skipped": self.skipped,
            "kappa": list(self.kappa),
            "rng": json.dumps(self._rng.bit_generator.state),
            "domain_events": self.domain_events.copy(),
            "users": self._users.state(),
            "items": self._items.state(),
            "buffer": self._buffer.state(),
            "network": {name: p.detach().clone() for name, p in named.items()},
            "adam": {n: {k: v.clone() for k, v in adam[p].items()} for n, p in named.items() if p in adam},
            "domains": {
                str(d): {"counts": frequency.counts.copy()} | vectors.state()
                for d, (frequency, vectors) in enumerate(zip(self._frequency, self._vectors, strict=True))
            },
        }

    @torch.no_grad()
    def load(self, state: dict[str, Any]) -> None:
        self._memo = None
        self.steps, self.skipped = int(state["steps"]), int(state["skipped"])
        self.kappa = list(state["kappa"])
        self._rng.bit_generator.state = json.loads(state["rng"])
        self.domain_events = state["domain_events"].copy()
        self._users.load(state["users"])
        self._items.load(state["items"])
        self._buffer.load(state["buffer"])
        self._optimizer.state.clear()
        for name, p in self.network.named_parameters():
            p.copy_(state["network"][name])  # in place: the scorer reads this memory
            if name in state["adam"]:
                self._optimizer.state[p] = {k: v.clone() for k, v in state["adam"][name].items()}
        for d, frequency in enumerate(self._frequency):
            frequency.counts = state["domains"][str(d)]["counts"].copy()
            self._vectors[d].load(state["domains"][str(d)])
