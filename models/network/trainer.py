"""The network as it learns: given the events and candidates of a step, it takes the step and corrects its targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.network.batch_loss import Pass, Pools
from models.network.item_vector_cache import ItemVectors
from models.network.two_tower import ItemTable, Network, Table
from models.schema import Domain
from models.state.tracked_tables import Live
from models.tables.catalogue import Catalogue
from models.tables.replay_buffer import Events
from models.transfer import equations as transfer
from models.transfer.alignment import Critic
from models.transfer.domain_adapter import DomainAdapter
from models.transfer.strategies import PLANS, Strategy

LARGEST_GRADIENT = 10.0
MEASURE_STEPS = 16  # between two measurements of divergence, a few milliseconds each


class Shape(NamedTuple):
    """What is the same for all that learn the same draws."""

    dim: int
    hidden: int
    recent: int
    dense_rate: float
    target_weight: float
    correction_weight: float
    kappa: float


class Drawn(NamedTuple):
    """What one step learns from: a micro-batch, the same with a replay sample behind it, and the candidates."""

    batch: Events
    events: Events
    pools: Pools


class NetworkStudent(Live):
    """Network, optimizer and cached item vectors over tables that it is given. It draws no random numbers."""

    def __init__(
        self,
        domains: Sequence[Domain],
        catalogues: list[Catalogue],
        users: Table,
        items: ItemTable,
        shape: Shape,
        strategy: Sequence[Strategy],
        seed: int = 0,
    ) -> None:
        self.domains, self.catalogues, self.shape = list(domains), catalogues, shape
        self.strategy = list(strategy)
        """Of each target; means nothing for other domains. Not in the state: the config or a contest sets it."""
        self.kappa = [shape.kappa] * len(self.domains)
        """The strength of each target's bias correction; the adaptation loop may change it."""
        self.is_target = np.array([d.is_target for d in self.domains])
        self.steps = self.skipped = 0
        self.event_losses = np.zeros(0, np.float32)  # of the latest micro-batch, before learning it
        generator = torch.Generator().manual_seed(seed)
        self.network = Network(
            len(self.domains), shape.dim, catalogues[0].dim, shape.hidden, shape.recent, generator
        )
        critic = Critic(len(self.domains), shape.dim - 1, generator)
        self.adapter = DomainAdapter(self.domains, self.network.domain_layers, critic)
        self._dense = dict(self.network.named_parameters())
        self._dense |= {f"critic_{name}": p for name, p in critic.named_parameters()}
        self._optimizer = torch.optim.Adam(self._dense.values(), lr=shape.dense_rate)
        self._users, self._items = users, items
        self._vectors = [
            ItemVectors(d, catalogue, self.network, items) for d, catalogue in enumerate(catalogues)
        ]

    def train(self, drawn: Drawn) -> float:
        """One step; returns the loss (nan: skipped)."""
        domain, item = drawn.batch.domain, drawn.batch.item
        theta = self.adapter.theta().detach()
        # (1) and (2) of the combined procedure in `models/transfer.py`: train sources and targets …
        loss = self._step(drawn.events, drawn.pools, len(domain))
        if not np.isfinite(loss):
            self.skipped += 1
            return loss
        # … (3) share, (4) correct; (5) recommend, with the vectors as refreshed below.
        counts = self.adapter.learned(theta, domain, self.event_losses)
        self.adapter.settle(self.strategy, counts, self.adaptation_rate)
        self.steps += 1
        for d, vectors in enumerate(self._vectors):
            vectors.stepped(item[domain == d])
        if self.steps % MEASURE_STEPS == 1:
            self.adapter.divergence = self._measured()
        return loss

    def _step(self, events: Events, pools: Pools, fresh: int) -> float:
        """One gradient step. The losses of the first `fresh` events, from before it, go to `event_losses`."""
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

    def _loss(self, batch: Pass, choice: Tensor, rating: Tensor) -> Tensor:
        """L_source + λ L_target + γ · correction, both tasks weighted; and the alignment's loss."""
        domain = batch.events.domain
        source, target = batch.by_role(choice, rating, self.is_target)
        share = np.bincount(domain, minlength=len(self.domains)) / len(domain)
        correction = self.adapter.correction(self.strategy, share)
        total = transfer.total_loss(
            source, target, correction, self.shape.target_weight, self.shape.correction_weight
        )
        return total + self.adapter.alignment(self.strategy, share, domain, batch.own[:, :-1])

    def adaptation_rate(self, domain: int) -> float:
        """How far the domain's bias vectors are drawn to the sources' in 256 of its events, as of now."""
        kappa = self.kappa[domain] if PLANS[self.strategy[domain]].correct else 0.0
        return transfer.shrinkage_rate(kappa, float(self.adapter.events[domain]))

    def reweigh(self, target: int) -> None:
        """Weighs the target's sources by their divergence as it is now."""
        self.adapter.divergence[target] = self._measured()[target]

    def _measured(self) -> dict[int, dict[int, float]]:
        return self.adapter.measured([vectors.get() for vectors in self._vectors])

    def forget_best(self, source: int) -> None:
        """The source has drifted: its best parameters so far are those of another time."""
        self.adapter.forget_best(source)

    def touch_item(self, domain: int, row: int) -> None:
        """The item's text, or its row, has changed: compute its vector anew when next asked for."""
        self._vectors[domain].touch(row)

    def live(self) -> dict[str, Any]:
        """All but the tables."""
        adam, named = self._optimizer.state, self._dense
        return {
            "steps": self.steps,
            "skipped": self.skipped,
            "adapter": self.adapter.state(),
            "network": {name: p.detach() for name, p in named.items()},
            "adam": {n: dict(adam[p]) for n, p in named.items() if p in adam},
            "vectors": {str(d): vectors.live() for d, vectors in enumerate(self._vectors)},
        }

    @torch.no_grad()
    def load(self, state: dict[str, Any]) -> None:
        self.steps, self.skipped = int(state["steps"]), int(state["skipped"])
        self.adapter.load(state["adapter"])
        self._optimizer.state.clear()
        for name, p in self._dense.items():
            p.copy_(state["network"][name])  # in place: the scorer reads this memory
            if name in state["adam"]:
                self._optimizer.state[p] = {k: v.clone() for k, v in state["adam"][name].items()}
        for d, vectors in enumerate(self._vectors):
            vectors.load(state["vectors"][str(d)])
