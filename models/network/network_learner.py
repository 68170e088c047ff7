"""Train the network in micro-batches with replay, and answer with vectors: the facade of the slow path."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.network.batch_loss import BatchLayout, Pools
from models.network.config import NetworkConfig
from models.network.embedding_table import Array, Index
from models.network.reading.network_reader import NetworkReader, first_strategies, item_rows
from models.network.search.strategy_search import StrategySearch
from models.network.trainer import NetworkTrainer
from models.schema import Domain
from models.tables.catalogue import Catalogue
from models.tables.replay_buffer import Events, Frequency, ReplayBuffer
from models.tables.user_history import History
from models.threads import ALONE, Workers
from models.transfer.strategies import Judged


class NetworkLearner(NetworkReader):
    """The network with its trainer, item rows, replay buffer and random draws.

    Call `context(user)` before each event is learned, and give `begin` the contexts of a micro-batch. Scoring draws no
    random numbers and changes only a cache.
    """

    def __init__(
        self,
        domains: Sequence[Domain],
        catalogues: list[Catalogue],
        history: History,
        config: NetworkConfig,
        workers: Workers = ALONE,
    ) -> None:
        items = item_rows(catalogues, config)
        first = first_strategies(config, len(domains))
        self.trainer = NetworkTrainer(domains, catalogues, items, config, first, workers)
        super().__init__(catalogues, history, config, self.trainer, items)
        self.search = StrategySearch(self.trainer, self.items) if config.strategy == "auto" else None
        self.buffer = ReplayBuffer(config.replay_capacity, config.recent, len(catalogues))
        self._frequency = [Frequency(config.popularity_half_life) for _ in catalogues]
        self._rng = np.random.default_rng(config.seed)

    # --- learning ---------------------------------------------------------------------------------

    def begin(
        self,
        domain: Index,
        user: Index,
        item: Index,
        residual: Array,
        time: NDArray[np.float64],
        recent: NDArray[np.float64] | Sequence[NDArray[np.float64]],
    ) -> Callable[[], float]:
        """Begin to learn a micro-batch of B events with replay, in one step or several.

        Return what ends it and returns the mean loss, nan if a step was skipped. The gradients of the first step are
        computed beside what the caller does until then. The network answers as before meanwhile, and no row of a user
        or an item may be dropped. domain, user, item: (B,) indices and rows. residual: (B,) rating minus prediction,
        nan for clicks. time: (B,) seconds. recent: (B, recent, 3), `context(user)` from before each event.
        """
        batch = Events(domain, user, item, residual, time, np.asarray(recent, np.float64))
        parts = np.array_split(np.arange(len(domain)), max(len(domain) // self._step_size(), 1))
        batches = [batch.take(part) if len(parts) > 1 else batch for part in parts]
        first = self._start(batches[0])

        def end() -> float:
            losses = [first(), *(self._start(one)() for one in batches[1:])]
            return float(np.mean(losses))

        return end

    def _step_size(self) -> int:
        """Return the number of events of a step when many wait. It grows with the events learned."""
        config, learned = self.config, int(self.trainer.adapter.events.sum())
        return min(max(learned // config.growth, config.least_step), config.largest_step)

    def _start(self, batch: Events) -> Callable[[], float]:
        """Start to compute the gradients of a step. Return what takes the step, and returns its loss."""
        layout = self._draw(batch)
        found = self.trainer.workers.start(partial(self.trainer.gradients, layout))
        of_shadow = None if self.search is None else self.search.start(layout)

        def step() -> float:
            shadow = None if of_shadow is None else of_shadow()  # both before any row changes
            loss = self.trainer.descend(batch, found())
            if self.search is not None:
                self.search.stepped(batch, shadow, loss)
            if np.isfinite(loss):
                self.buffer.add(batch)
                for d, frequency in enumerate(self._frequency):
                    frequency.add(batch.item[batch.domain == d])
            return loss

        return step

    def _draw(self, batch: Events) -> BatchLayout:
        for d in np.unique(batch.domain):
            self.items.admit(int(d), batch.item[batch.domain == d], self._rng)
        events = batch.joined(self.buffer.sample(self.config.replay, self._rng))
        domains = map(int, np.unique(events.domain))
        pools: Pools = {d: self._pool(d, events.item[events.domain == d]) for d in domains}
        return BatchLayout(events, len(batch.domain), pools, self.items, self.catalogues)

    def _pool(self, domain: int, positives: Index) -> tuple[Index, Array]:
        catalogue = self.catalogues[domain]
        others = np.flatnonzero(catalogue.recommendable[: catalogue.size])
        return self._frequency[domain].pool(positives, others, self.config.negatives, self._rng)

    # --- adaptation -------------------------------------------------------------------------------

    def take_verdicts(self) -> list[Judged]:
        """Return the trials of strategies that ended since the last call."""
        if self.search is None:
            return []
        taken, self.search.verdicts = self.search.verdicts, []
        return taken

    def realign(self, target: int) -> None:
        """Try strategies that align the target next, because it has drifted from its sources.

        A fixed strategy stays.
        """
        if self.search is not None:
            self.search.realign(target)

    def reweigh(self, target: int) -> None:
        """Weigh the target's sources by their present divergence."""
        super().reweigh(target)
        if self.search is not None:
            self.search.reweigh(target)

    def forget_best(self, source: int) -> None:
        """Forget the source's best parameters so far, because losses from before and after a drift do not compare."""
        self.trainer.adapter.forget_best(source)
        if self.search is not None:
            self.search.forget_best(source)

    def touch_item(self, domain: int, row: int) -> None:
        """Compute the item's vector anew at the next read, because its text or its row has changed."""
        super().touch_item(domain, row)
        if self.search is not None:
            self.search.touch_item(domain, row)

    # --- rows, state ------------------------------------------------------------------------------

    def drop_user(self, row: int) -> None:
        """Forget the row's events in the replay buffer: it is free, or stands for another user, from now on."""
        self.buffer.forget_user(row)

    def end_future(self, now: float) -> None:
        """Set every time after `now` (seconds) in the replay buffer to `now`."""
        self.buffer.end_future(now)

    def drop_item(self, domain: int, row: int) -> None:
        """Forget the row and its events in the replay buffer. From now on the item's text represents it."""
        self.items.drop(domain, row)
        self._frequency[domain].forget(row)
        self.buffer.forget_item(domain, row)
        self.touch_item(domain, row)

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        own = {
            "kappa": list(self.trainer.kappa),
            "rng": json.dumps(self._rng.bit_generator.state),
            "items": self.items.live(),
            "buffer": self.buffer.live(),
            "counts": {str(d): frequency.counts for d, frequency in enumerate(self._frequency)},
        }
        search = {} if self.search is None else {"contest": self.search.live()}
        return self.trainer.live() | own | search

    def load(self, state: dict[str, Any]) -> None:
        """Load a state. Rows of users, which earlier versions had, are ignored.

        That of a copy that followed published weights has no replay buffer and no counts: they begin anew.
        """
        self.trainer.kappa = list(state["kappa"])
        self.items.load(state["items"])
        if "buffer" in state:
            self._rng.bit_generator.state = json.loads(state["rng"])
            self.buffer.load(state["buffer"])
            for d, frequency in enumerate(self._frequency):
                frequency.counts = state["counts"][str(d)].copy()
        else:
            self.items.free_ownerless()
        self.trainer.load(state)
        if self.search is not None:
            self.search.load(state.get("contest"))
