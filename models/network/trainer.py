"""Train the network: take a step on a batch, then adapt the targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.network.batch_loss import BatchForward, BatchLayout
from models.network.config import NetworkConfig
from models.network.embedding_table import Array, ItemTable
from models.network.reading.weights import NetworkWeights
from models.schema import Domain
from models.tables.catalogue import Catalogue
from models.tables.replay_buffer import Events
from models.threads import Workers
from models.transfer import equations as transfer
from models.transfer.strategies import Strategy

LARGEST_GRADIENT = 10.0
"""Largest norm of a gradient. Longer gradients are clipped to it."""
MEASURE_STEPS = 16
"""The number of steps between two measurements of divergence, which take a few milliseconds each."""


class Gradients(NamedTuple):
    """What a step needs. The gradients themselves are with the parameters and with the rows of `forward`."""

    layout: BatchLayout
    forward: BatchForward
    loss: float
    """Nan if it or a gradient is not finite: the step is skipped then."""
    event_losses: Array
    """(B,) losses of the new events."""


class NetworkTrainer(NetworkWeights):
    """Weights with an optimizer, over a table of item rows.

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
        workers: Workers,
    ) -> None:
        super().__init__(domains, catalogues, items, config, strategy, workers)
        self.event_losses = np.zeros(0, np.float32)
        """(B,) losses of the new events of the latest step, from before the step."""
        self._is_target = np.array([d.is_target for d in self.domains])
        self._optimizer = torch.optim.Adam(self.dense.values(), lr=config.dense_rate, fused=True)
        self._items = items

    def gradients(self, layout: BatchLayout) -> Gradients:
        """Compute a step's gradients. It changes nothing that is learned, so others may read the network meanwhile.

        layout: the new events and those of the replay.
        """
        forward = BatchForward(layout, self.network, self._items)
        choice, rating = forward.choice(), forward.rating()
        loss = self._loss(layout, forward, choice, rating)
        finite = bool(torch.isfinite(loss))
        if finite:
            self._optimizer.zero_grad()
            torch.autograd.backward(loss)
            leaves = [*self.dense.values(), forward.leaf]
            finite = bool(torch.isfinite(torch.nn.utils.clip_grad_norm_(leaves, LARGEST_GRADIENT)))
        losses = choice.detach().numpy().copy()
        losses[layout.rated] += rating.detach().numpy()
        return Gradients(
            layout, forward, float(loss.detach()) if finite else float("nan"), losses[: layout.fresh]
        )

    def descend(self, batch: Events, found: Gradients) -> float:
        """Take the step of these gradients. Return the loss, nan if the step was skipped. batch: the new events."""
        if not np.isfinite(found.loss):
            self.skipped += 1
            return found.loss
        theta = self.adapter.theta().detach()
        # Steps 1 and 2 of the combined procedure in `models/transfer/equations.py`: train sources and targets.
        self.event_losses = found.event_losses
        scale = (found.layout.fresh / transfer.STEP_EVENTS) ** 0.5
        self._optimizer.param_groups[0]["lr"] = self.config.dense_rate * scale
        self._optimizer.step()
        found.forward.descend(scale)
        # Steps 3 and 4: share and correct. Step 5, recommend, uses the item vectors that are refreshed below.
        counts = self.adapter.learned(theta, batch.domain, self.event_losses)
        self.adapter.settle(self.strategy, counts, self.adaptation_rate)
        self.steps += 1
        touched = [batch.item[batch.domain == d] for d in range(len(self.domains))]
        self.stepped(len(batch.item), touched)
        if self.steps % MEASURE_STEPS == 1:
            self.adapter.divergence = self.measured()
        return found.loss

    def _loss(self, layout: BatchLayout, forward: BatchForward, choice: Tensor, rating: Tensor) -> Tensor:
        """Return L_source + λ L_target + γ · correction, with weighted tasks, plus the loss of the alignment."""
        source, target = forward.by_role(choice, rating, self._is_target)
        share = np.bincount(layout.domain, minlength=len(self.domains)) / len(layout.domain)
        correction = self.adapter.correction(self.strategy, share)
        total = transfer.total_loss(
            source, target, correction, self.config.target_weight, self.config.correction_weight
        )
        return total + self.adapter.alignment(self.strategy, share, layout.domain, forward.own[:, :-1])

    def live(self) -> dict[str, Any]:
        """Return what `load` takes, without the tables."""
        adam, named = self._optimizer.state, self.dense
        return super().live() | {"adam": {n: dict(adam[p]) for n, p in named.items() if p in adam}}

    @torch.no_grad()
    def load(self, state: dict[str, Any]) -> None:
        """Load a state. One of weights that another process trains has no moments: Adam begins anew."""
        super().load(state)
        moments = state.get("adam", {})
        self._optimizer.state.clear()
        for name, p in self.dense.items():
            if name in moments:
                self._optimizer.state[p] = {k: v.clone() for k, v in moments[name].items()}
