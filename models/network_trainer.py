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
from models.alignment import Critic
from models.catalogue import Catalogue
from models.changes import Live
from models.domain_adapter import DomainAdapter
from models.history import History, Recent
from models.interaction import Domain
from models.item_vectors import ItemVectors
from models.nearest import Affinity, affinities
from models.network import Array, Index, ItemRows, Network, RowTable, Scorer
from models.network_pass import Pass
from models.replay_buffer import Events, Frequency, ReplayBuffer, age, newest_first, used
from models.strategy import PLANS, Judged, Strategy

LARGEST_GRADIENT = 10.0
MEASURE_STEPS = 16  # between two measurements of divergence, a few milliseconds each


class NetworkLearner(Live):
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
        strategy: Strategy = "correct",
        target_weight: float = 0.5,
        correction_weight: float = 0.2,
        kappa: float = 500.0,
        popularity_half_life: float = 5_000.0,
    ) -> None:
        self.domains, self.catalogues, self.history, self.dim = list(domains), catalogues, history, dim
        self.recent, self.replay, self.negatives = recent, replay, negatives
        self.target_weight, self.correction_weight = target_weight, correction_weight
        self.strategy: list[Strategy] = [strategy] * len(self.domains)
        self.verdicts: list[Judged] = []
        """Trials of strategies that are over; whoever tells of them empties it."""
        """Of each target; means nothing for other domains. Not in the state: the config or a contest sets it."""
        self.kappa = [kappa] * len(self.domains)
        """The strength of each target's bias correction; the adaptation loop may change it."""
        self.is_target = np.array([d.is_target for d in self.domains])
        self.steps = self.skipped = self._version = 0
        self._memo: tuple[int | None, int, Recent, Array] | None = None
        """The vector asked for last: an event's ranking and its rating need the same one."""
        self.event_losses = np.zeros(0, np.float32)  # of the latest micro-batch, before learning it
        self._rng = np.random.default_rng(seed)
        self._text = catalogues[0].dim
        generator = torch.Generator().manual_seed(seed)
        self.network = Network(len(self.domains), dim, self._text, hidden, recent, generator)
        critic = Critic(len(self.domains), dim - 1, generator)
        self.adapter = DomainAdapter(self.domains, self.network, critic)
        self._scorer = Scorer(self.network)
        self._dense = dict(self.network.named_parameters())
        self._dense |= {f"critic_{name}": p for name, p in critic.named_parameters()}
        self._optimizer = torch.optim.Adam(self._dense.values(), lr=dense_rate)
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
        theta = self.adapter.theta().detach()
        # (1) and (2) of the combined procedure in `models/transfer.py`: train sources and targets …
        loss = self._step(batch.joined(self._buffer.sample(self.replay, self._rng)), len(domain))
        if not np.isfinite(loss):
            self.skipped += 1
            return loss
        # … (3) share, (4) correct; (5) recommend, with the vectors as refreshed below.
        counts = self.adapter.learned(theta, domain, self.event_losses)
        self.adapter.settle(self.strategy, counts, self.adaptation_rate)
        self._buffer.add(batch)
        self.steps += 1
        for d, vectors in enumerate(self._vectors):
            rows = item[domain == d]
            self._frequency[d].add(rows)
            vectors.stepped(rows)
        if self.steps % MEASURE_STEPS == 1:
            self.adapter.divergence = self._measured()
        return loss

    def _step(self, events: Events, fresh: int) -> float:
        """One gradient step. The losses of the first `fresh` events, from before it, go to `event_losses`."""
        domains = map(int, np.unique(events.domain))
        pools = {d: self._pool(d, events.item[events.domain == d]) for d in domains}
        batch = Pass(events, pools, self.network, self._items, self._users, self.catalogues)
        choice, rating = batch.choice(), batch.rating()
        loss = self._loss(batch, choice, rating)
        if not torch.isfinite(loss):
            return float("nan")
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        leaves = [*self._dense.values(), *batch.leaves]
        if not torch.isfinite(torch.nn.utils.clip_grad_norm_(leaves, LARGEST_GRADIENT)):
            return float("nan")
        losses = choice.detach().numpy().copy()
        losses[batch.rated] += rating.detach().numpy()
        self.event_losses = losses[:fresh]
        self._optimizer.step()
        batch.descend()
        return float(loss.detach())

    def _pool(self, domain: int, positives: Index) -> tuple[Index, Array]:
        others = np.flatnonzero(self.catalogues[domain].recommendable[: self.catalogues[domain].size])
        return self._frequency[domain].pool(positives, others, self.negatives, self._rng)

    def _loss(self, batch: Pass, choice: Tensor, rating: Tensor) -> Tensor:
        """L_source + λ L_target + γ · correction, both tasks weighted; and the alignment's loss."""
        domain = batch.events.domain
        source, target = batch.by_role(choice, rating, self.is_target)
        share = np.bincount(domain, minlength=len(self.domains)) / len(domain)
        correction = self.adapter.correction(self.strategy, share)
        total = transfer.total_loss(source, target, correction, self.target_weight, self.correction_weight)
        return total + self.adapter.alignment(self.strategy, share, domain, batch.own[:, :-1])

    def adaptation_rate(self, domain: int) -> float:
        """How far the domain's bias vectors are drawn to the sources' in 256 of its events, as of now."""
        kappa = self.kappa[domain] if PLANS[self.strategy[domain]].correct else 0.0
        return transfer.shrinkage_rate(kappa, float(self.adapter.events[domain]))

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

    def affinities(self, domain: int, users: list[int | None]) -> list[Affinity]:
        """The same for ranking: one a user, by way of an index where the catalogue is large."""
        vectors = self.item_vectors(domain)
        return affinities(self._vectors[domain].index, vectors, self.user_vectors(users))

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

    def reweigh(self, target: int) -> None:
        """Weighs the target's sources by their divergence as it is now."""
        self.adapter.divergence[target] = self._measured()[target]

    def _measured(self) -> dict[int, dict[int, float]]:
        return self.adapter.measured([vectors.get() for vectors in self._vectors])

    def forget_best(self, source: int) -> None:
        """The source has drifted: its best parameters so far are those of another time."""
        self.adapter.forget_best(source)

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

    def live(self) -> dict[str, Any]:
        adam, named = self._optimizer.state, self._dense
        return {
            "steps": self.steps,
            "skipped": self.skipped,
            "kappa": list(self.kappa),
            "rng": json.dumps(self._rng.bit_generator.state),
            "adapter": self.adapter.state(),
            "users": self._users.live(),
            "items": self._items.live(),
            "buffer": self._buffer.live(),
            "network": {name: p.detach().clone() for name, p in named.items()},
            "adam": {n: {k: v.clone() for k, v in adam[p].items()} for n, p in named.items() if p in adam},
            "domains": {
                str(d): {"counts": frequency.counts} | vectors.live()
                for d, (frequency, vectors) in enumerate(zip(self._frequency, self._vectors, strict=True))
            },
        }

    @torch.no_grad()
    def load(self, state: dict[str, Any]) -> None:
        self._memo = None
        self.steps, self.skipped = int(state["steps"]), int(state["skipped"])
        self.kappa = list(state["kappa"])
        self._rng.bit_generator.state = json.loads(state["rng"])
        self.adapter.load(state["adapter"])
        self._users.load(state["users"])
        self._items.load(state["items"])
        self._buffer.load(state["buffer"])
        self._optimizer.state.clear()
        for name, p in self._dense.items():
            p.copy_(state["network"][name])  # in place: the scorer reads this memory
            if name in state["adam"]:
                self._optimizer.state[p] = {k: v.clone() for k, v in state["adam"][name].items()}
        for d, frequency in enumerate(self._frequency):
            frequency.counts = state["domains"][str(d)]["counts"].copy()
            self._vectors[d].load(state["domains"][str(d)])
