"""Make a synthetic stream for the network alone, recorded as the pipeline does."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from models.network.config import NetworkConfig
from models.network.network_learner import NetworkLearner
from models.schema import Domain
from models.tables.catalogue import Catalogue
from models.tables.user_history import History

TEXT, ITEMS, USERS = 8, 60, 40
DOMAINS = [Domain("movies", "source"), Domain("books", "target")]


class World:
    """Users of two tastes; an item's taste shows in its text. Each event is recorded as the pipeline does."""

    def __init__(
        self,
        seed: int = 0,
        domains: list[Domain] = DOMAINS,
        **settings: Any,
    ) -> None:
        self.domains = domains
        self.rng = np.random.default_rng(seed)
        self.catalogues = [Catalogue(100, TEXT) for _ in domains]
        for d, catalogue in enumerate(self.catalogues):
            for i in range(ITEMS):
                row, _ = catalogue.touch(f"{d}-{i}")
                vector = 0.3 * self.rng.standard_normal(TEXT)
                vector[0] = 1 if i % 2 else -1
                catalogue.set_vector(row, vector.astype(np.float32))
        self.history = History(self.catalogues)
        sizes = {"dim": 8, "hidden": 16, "negatives": 32, "replay": 32}
        self.config = NetworkConfig(**(sizes | settings))
        self.learner = self.another(seed=1)
        self.clock = 0.0

    def another(self, seed: int = 5, **settings: Any) -> NetworkLearner:
        """Return a new learner over the same catalogues and history."""
        config = msgspec.structs.replace(self.config, seed=seed, **settings)
        return NetworkLearner(self.domains, self.catalogues, self.history, config)

    def batch(self, n: int = 32, clicks: bool = False) -> tuple[np.ndarray, ...]:
        domain = self.rng.integers(0, len(self.catalogues), n)
        user = self.rng.integers(0, USERS, n)
        item = 2 * self.rng.integers(0, ITEMS // 2, n) + user % 2
        residual = np.where(domain == 1, 0.5, -0.5).astype(np.float32)
        if clicks:
            residual[:] = np.nan
        times, recent = np.zeros(n), []
        for k in range(n):
            recent.append(self.learner.context(int(user[k])))
            self.clock += 60.0
            times[k] = self.clock
            self.history.add(int(user[k]), int(domain[k]), int(item[k]), self.clock)
        return domain, user, item, residual, times, np.stack(recent)

    def learn(self, steps: int, **kw: Any) -> list[float]:
        return [self.learner.begin(*self.batch(**kw))() for _ in range(steps)]
