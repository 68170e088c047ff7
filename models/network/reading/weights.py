"""Hold what a network has learned beside its item rows: parameters, domain adapter, cached item vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from models.network.config import NetworkConfig
from models.network.embedding_table import ItemTable
from models.network.item_vector_cache import ItemVectors
from models.network.numpy_scorer import NumpyScorer
from models.network.two_tower import Network
from models.schema import Domain
from models.state.tracked_tables import Checkpointed
from models.tables.catalogue import Catalogue
from models.threads import Workers
from models.transfer import equations as transfer
from models.transfer.alignment import Critic
from models.transfer.domain_adapter import DomainAdapter
from models.transfer.strategies import PLANS, Strategy


class NetworkWeights(Checkpointed):
    """The dense parameters, what the domain adapter knows, and the item vectors that follow from both."""

    def __init__(
        self,
        domains: Sequence[Domain],
        catalogues: list[Catalogue],
        items: ItemTable,
        config: NetworkConfig,
        strategy: Sequence[Strategy],
        workers: Workers,
    ) -> None:
        self.workers = workers
        self.domains, self.catalogues, self.config = list(domains), catalogues, config
        self.strategy = list(strategy)
        """The strategy of each domain; only those of targets count. Config or a search sets it, so no state has it."""
        self.kappa = [config.kappa] * len(self.domains)
        """Strength of each target's bias correction. The owner of these weights saves it."""
        self.steps = self.skipped = 0
        generator = torch.Generator().manual_seed(config.seed)
        self.network = Network(len(self.domains), catalogues[0].dim, config, generator, workers)
        self.scorer = NumpyScorer(self.network, workers)
        critic = Critic(len(self.domains), config.dim - 1, generator)
        self.adapter = DomainAdapter(self.domains, self.network.domain_layers, critic)
        self.dense = dict(self.network.named_parameters())
        """Parameters by name, those of the critic too."""
        self.dense |= {f"critic_{name}": p for name, p in critic.named_parameters()}
        self.vectors = [
            ItemVectors(d, catalogue, self.scorer, items) for d, catalogue in enumerate(catalogues)
        ]
        """By domain."""

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

    def stepped(self, events: int, touched: Sequence[np.ndarray[Any, np.dtype[np.int64]]]) -> None:
        """Let the item vectors follow steps on so many events. touched: for each domain, the items learned, (n,)."""
        of = zip(self.vectors, touched, strict=True)
        self.workers.run([partial(vectors.stepped, events, rows) for vectors, rows in of])

    def live(self) -> dict[str, Any]:
        """Return what `load` takes, without the tables."""
        return {
            "steps": self.steps,
            "skipped": self.skipped,
            "adapter": self.adapter.state(),
            "network": {name: p.detach() for name, p in self.dense.items()},
            "vectors": {str(d): vectors.live() for d, vectors in enumerate(self.vectors)},
        }

    @torch.no_grad()
    def load(self, state: dict[str, Any]) -> None:
        """Take up a state."""
        self.steps, self.skipped = int(state["steps"]), int(state["skipped"])
        self.adapter.load(state["adapter"])
        for name, p in self.dense.items():
            p.copy_(state["network"][name])  # in place: the scorer reads this memory
        for d, vectors in enumerate(self.vectors):
            vectors.load(state["vectors"][str(d)])
