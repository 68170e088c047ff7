"""Train the network: take a step on a batch, then adapt the targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.network.batch_loss import BatchForward, BatchLayout
from models.network.config import NetworkConfig
from models.network.embedding_table import ItemTable
from models.network.item_vector_cache import ItemVectors
from models.network.numpy_scorer import NumpyScorer
from models.network.two_tower import Network
from models.schema import Domain
from models.state.tracked_tables import Checkpointed
from models.tables.catalogue import Catalogue
from models.tables.replay_buffer import Events
from models.transfer import equations as transfer
from models.transfer.alignment import Critic
from models.transfer.domain_adapter import DomainAdapter
from models.transfer.strategies import PLANS, Strategy

LARGEST_GRADIENT = 10.0
"""Largest norm of a gradient. Longer gradients are clipped to it."""
MEASURE_STEPS = 16
"""The number of steps between two measurements of divergence, which take a few milliseconds each."""


class NetworkTrainer(Checkpointed):
    """Network, optimizer, domain adapter and cached item vectors, over a table of item rows.

    It draws no random numbers. A step on m events has √(m / 256) times the rates of a step on 256, so that larger steps
    learn as much from each event. Source: the square-root rule for adaptive optimizers, Malladi, Lyu, Panigrahi and
    Arora (2022), "On the SDEs and scaling rules for adaptive gradient algorithms".
    """

    def __init__(
        self,
        domains: Sequence[Domain],
        catalogues: list[Catalogue],
        items: ItemTable,
        config: NetworkConfig,
        strategy: Sequence[Strategy],
        seed: int = 0,
    ) -> None:
        self.domains, self.catalogues, self.config = list(domains), catalogues, config
        self.strategy = list(strategy)
        """The strategy of each domain; only those of targets count. Config or a search sets it, so no state has it."""
        self.kappa = [config.kappa] * len(self.domains)
        """Strength of each target's bias correction. `NetworkLearner` saves it."""
        self.steps = self.skipped = 0
        self.event_losses = np.zeros(0, np.float32)
        """(B,) losses of the new events of the latest step, from before the step."""
        self._is_target = np.array([d.is_target for d in self.domains])
        generator = torch.Generator().manual_seed(seed)
        self.network = Network(
            len(self.domains), config.dim, catalogues[0].dim, config.hidden, config.recent, generator
        )
        self.scorer = NumpyScorer(self.network)
        critic = Critic(len(self.domains), config.dim - 1, generator)
        self.adapter = DomainAdapter(self.domains, self.network.domain_layers, critic)
        self._dense = dict(self.network.named_parameters())
        self._dense |= {f"critic_{name}": p for name, p in critic.named_parameters()}
        self._optimizer = torch.optim.Adam(self._dense.values(), lr=config.dense_rate, fused=True)
        self._items = items
        self.vectors = [
            ItemVectors(d, catalogue, self.scorer, items) for d, catalogue in enumerate(catalogues)
        ]
        """By domain."""

    def train(self, batch: Events, layout: BatchLayout) -> float:
        """Take one step. Return the loss, nan if the step was skipped.

        batch: the new events. layout: these events and those of the replay.
        """
        theta = self.adapter.theta().detach()
        # Steps 1 and 2 of the combined procedure in `models/transfer/equations.py`: train sources and targets.
        loss = self._step(layout)
        if not np.isfinite(loss):
            self.skipped += 1
            return loss
        # Steps 3 and 4: share and correct. Step 5, recommend, uses the item vectors that are refreshed below.
        counts = self.adapter.learned(theta, batch.domain, self.event_losses)
        self.adapter.settle(self.strategy, counts, self.adaptation_rate)
        self.steps += 1
        for d, vectors in enumerate(self.vectors):
            vectors.stepped(len(batch.item), batch.item[batch.domain == d])
        if self.steps % MEASURE_STEPS == 1:
            self.adapter.divergence = self.measured()
        return loss

    def _step(self, layout: BatchLayout) -> float:
        """Take one gradient step. Set `event_losses` to the losses of the new events from before the step."""
        forward = BatchForward(layout, self.network, self._items)
        choice, rating = forward.choice(), forward.rating()
        loss = self._loss(layout, forward, choice, rating)
        if not torch.isfinite(loss):
            return float("nan")
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        leaves = [*self._dense.values(), forward.leaf]
        if not torch.isfinite(torch.nn.utils.clip_grad_norm_(leaves, LARGEST_GRADIENT)):
            return float("nan")
        losses = choice.detach().numpy().copy()
        losses[layout.rated] += rating.detach().numpy()
        self.event_losses = losses[: layout.fresh]
        scale = (layout.fresh / transfer.STEP_EVENTS) ** 0.5
        self._optimizer.param_groups[0]["lr"] = self.config.dense_rate * scale
        self._optimizer.step()
        forward.descend(scale)
        return float(loss.detach())

    def _loss(self, layout: BatchLayout, forward: BatchForward, choice: Tensor, rating: Tensor) -> Tensor:
        """Return L_source + λ L_target + γ · correction, with weighted tasks, plus the loss of the alignment."""
        source, target = forward.by_role(choice, rating, self._is_target)
        share = np.bincount(layout.domain, minlength=len(self.domains)) / len(layout.domain)
        correction = self.adapter.correction(self.strategy, share)
        total = transfer.total_loss(
            source, target, correction, self.config.target_weight, self.config.correction_weight
        )
        return total + self.adapter.alignment(self.strategy, share, layout.domain, forward.own[:, :-1])

    def adaptation_rate(self, domain: int) -> float:
        """Return the shrinkage of the domain's bias vectors towards the sources' in 256 of its events, 0 to 1."""
        kappa = self.kappa[domain] if PLANS[self.strategy[domain]].correct else 0.0
        return transfer.shrinkage_rate(kappa, float(self.adapter.events[domain]))

    def reweigh(self, target: int) -> None:
        """Weigh the target's sources by their present divergence."""
        self.adapter.divergence[target] = self.measured()[target]

    def measured(self) -> dict[int, dict[int, float]]:
        """Return the divergence by target and source, from the present item vectors."""
        return self.adapter.measured([vectors.get() for vectors in self.vectors])

    def live(self) -> dict[str, Any]:
        """Return what `load` takes, without the tables."""
        adam, named = self._optimizer.state, self._dense
        return {
            "steps": self.steps,
            "skipped": self.skipped,
            "adapter": self.adapter.state(),
            "network": {name: p.detach() for name, p in named.items()},
            "adam": {n: dict(adam[p]) for n, p in named.items() if p in adam},
            "vectors": {str(d): vectors.live() for d, vectors in enumerate(self.vectors)},
        }

    @torch.no_grad()
    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.steps, self.skipped = int(state["steps"]), int(state["skipped"])
        self.adapter.load(state["adapter"])
        self._optimizer.state.clear()
        for name, p in self._dense.items():
            p.copy_(state["network"][name])  # in place: the scorer reads this memory
            if name in state["adam"]:
                self._optimizer.state[p] = {k: v.clone() for k, v in state["adam"][name].items()}
        for d, vectors in enumerate(self.vectors):
            vectors.load(state["vectors"][str(d)])
