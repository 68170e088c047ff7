"""Draws what the network learns from in micro-batches, and answers with vectors: the slow path's facade."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.network.batch_loss import Pools
from models.network.trainer import Drawn, NetworkStudent, Shape
from models.network.two_tower import Array, Index, ItemRows, RowTable, Scorer
from models.schema import Domain
from models.tables.catalogue import Catalogue
from models.tables.replay_buffer import Events, Frequency, ReplayBuffer, age, used
from models.tables.user_history import History, Recent
from models.transfer import equations as transfer
from models.transfer.strategies import Judged, Strategy


class NetworkLearner(NetworkStudent):
    """Network, tables, replay and random draws behind `learn` and the vector methods.

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
        strategy: Strategy = "correct",
        target_weight: float = 0.5,
        correction_weight: float = 0.2,
        kappa: float = 500.0,
        popularity_half_life: float = 5_000.0,
    ) -> None:
        self._users: RowTable = RowTable(user_capacity, dim - 1, user_rate)
        self._items: ItemRows = ItemRows([c.ids.capacity for c in catalogues], dim, item_rate)
        shape = Shape(dim, hidden, recent, dense_rate, target_weight, correction_weight, kappa)
        strategies = [strategy] * len(domains)
        super().__init__(domains, catalogues, self._users, self._items, shape, strategies, seed)
        self.history, self.dim, self.recent = history, dim, recent
        self.replay, self.negatives = replay, negatives
        self.verdicts: list[Judged] = []
        """Trials of strategies that are over; whoever tells of them empties it."""
        self._version = 0
        self._memo: tuple[int | None, int, Recent, Array] | None = None
        """The vector asked for last: an event's ranking and its rating need the same one."""
        self._newcomer: Array | None = None
        """(1, dim): the vector of a user without a row, of whom nothing is known; None: a step has changed it."""
        self._rng = np.random.default_rng(seed)
        self._text = catalogues[0].dim
        self._scorer = Scorer(self.network)
        self._buffer = ReplayBuffer(replay_capacity, recent, len(catalogues))
        self._frequency = [Frequency(popularity_half_life) for _ in catalogues]

    # --- learning ---------------------------------------------------------------------------------

    def context(self, user: int | None) -> NDArray[np.float64]:
        """(recent, 3): domain, row and time of the user's latest items, newest first; domain -1: none."""
        return self.history.newest([user], self.recent)[0]

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
        self._newcomer = None
        drawn = self._draw(Events(domain, user, item, residual, time, np.asarray(recent, np.float64)))
        loss = self.train(drawn)
        if np.isfinite(loss):
            self._buffer.add(drawn.batch)
            for d, frequency in enumerate(self._frequency):
                frequency.add(item[domain == d])
        return loss

    def _draw(self, batch: Events) -> Drawn:
        self._users.reserve(int(batch.user.max()) + 1)
        for d in np.unique(batch.domain):
            self._items.admit(int(d), batch.item[batch.domain == d], self._rng)
        events = batch.joined(self._buffer.sample(self.replay, self._rng))
        domains = map(int, np.unique(events.domain))
        pools: Pools = {d: self._pool(d, events.item[events.domain == d]) for d in domains}
        return Drawn(batch, events, pools)

    def _pool(self, domain: int, positives: Index) -> tuple[Index, Array]:
        others = np.flatnonzero(self.catalogues[domain].recommendable[: self.catalogues[domain].size])
        return self._frequency[domain].pool(positives, others, self.negatives, self._rng)

    # --- vectors ----------------------------------------------------------------------------------

    def user_vectors(self, users: list[int | None]) -> Array:
        """(n, dim), from the table and `History.recent` as they are now."""
        if not users:
            return np.zeros((0, self.dim), np.float32)
        if users == [None]:
            if self._newcomer is None:
                self._newcomer = self._computed(users)
            return self._newcomer.copy()
        if len(users) > 1:
            return self._computed(users)
        latest = self.history.recent(users[0])
        if self._memo is not None:
            user, version, seen, vectors = self._memo
            if (user, version) == (users[0], self._version) and seen is latest:
                return vectors.copy()
        vectors = self._computed(users)
        self._memo = (users[0], self._version, latest, vectors.copy())
        return vectors

    def _computed(self, users: list[int | None]) -> Array:
        recent = self.history.newest(users, self.recent)
        recent = recent[:, : max(used(recent).sum(1).max(), 1)]  # (n, L, 3)
        present = used(recent)  # (n, L)
        near = np.zeros((*present.shape, self.dim - 1), np.float32)  # (n, L, F)
        for d in range(len(self.domains)):
            here = recent[:, :, 0] == d
            if here.any():
                near[here] = self.item_vectors(d)[recent[here][:, 1].astype(np.int64), :-1]
        rows = self._users.rows(np.array([-1 if user is None else user for user in users], np.int64))
        return self._scorer.users(rows, near, present, age(recent))

    def user_vectors_of(self, recent):
        recent = recent[:, : max(used(recent).sum(1).max(), 1)]
        present = used(recent)
        near = np.zeros((*present.shape, self.dim - 1), np.float32)
        for d in range(len(self.domains)):
            here = recent[:, :, 0] == d
            if here.any():
                near[here] = self.item_vectors(d)[recent[here][:, 1].astype(np.int64), :-1]
        rows = np.zeros((len(recent), self.dim - 1), np.float32)
        return self._scorer.users(rows, near, present, age(recent))

    def item_lists(self, domain):
        return self._vectors[domain].index.lists(self._vectors[domain].get(), self.catalogues[domain].size)

    def vectors_of_items(self, domain, rows):
        out = np.tile(self._vectors[domain].of_text(np.zeros(self._text, np.float32)), (len(rows), 1))
        there = rows >= 0
        out[there] = self.item_vectors(domain)[rows[there]]
        return out

    def rating_residuals(self, users, items, domain):
        return np.array([self._scorer.rating(u, v, int(d)) for u, v, d in zip(users, items, domain)])

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
        self._version += 1
        super().touch_item(domain, row)

    # --- operators, rows, state -------------------------------------------------------------------

    def domain_bias(self, domain: int) -> dict[str, float]:
        """Norm of each of the domain's bias vectors, and its distance to the weighted mean of the sources'."""
        return transfer.bias_terms(self.network.domain_layers, domain, self.adapter.weights(domain))

    def divergence(self, target: int) -> dict[int, float]:
        """From each of its sources, relative to the vectors' length: as last measured, before that as of now."""
        return self.adapter.divergence[target] or self._measured()[target]

    def source_weights(self, target: int) -> dict[int, float]:
        """How much each of its sources counts in its bias correction; they add up to 1. Empty without sources."""
        return self.adapter.weights(target)

    def realign(self, target: int) -> None:
        """The target has drifted away from its sources: a learner that tries strategies tries this one's next."""

    def reset_user(self, row: int) -> None:
        """The row will belong to someone else: clear it, its optimizer state and what is replayed of it."""
        self._version += 1
        self._users.reset(row)
        self._buffer.forget_user(row)

    def end_future(self, now: float) -> None:
        """What is replayed is of no time after `now` (s)."""
        self._version += 1
        self._buffer.end_future(now)

    def reset_item(self, domain: int, row: int) -> None:
        """As `reset_user`, for an item row; until it is learned again, its text represents it."""
        self._version += 1
        self._items.drop(domain, row)
        self._frequency[domain].forget(row)
        self._buffer.forget_item(domain, row)
        self._vectors[domain].touch(row)

    def make_room(self, users: int, items: Sequence[int]) -> None:
        """For so many rows of users, and of items by domain."""
        self._users.capacity, self._items.table.capacity = users, sum(items)

    def live(self) -> dict[str, Any]:
        return super().live() | {
            "kappa": list(self.kappa),
            "rng": json.dumps(self._rng.bit_generator.state),
            "users": self._users.live(),
            "items": self._items.live(),
            "buffer": self._buffer.live(),
            "counts": {str(d): frequency.counts for d, frequency in enumerate(self._frequency)},
        }

    def load(self, state: dict[str, Any]) -> None:
        self._memo = self._newcomer = None
        self.kappa = list(state["kappa"])
        self._rng.bit_generator.state = json.loads(state["rng"])
        self._users.load(state["users"])
        self._items.load(state["items"])
        self._buffer.load(state["buffer"])
        for d, frequency in enumerate(self._frequency):
            frequency.counts = state["counts"][str(d)].copy()
        super().load(state)
