"""Train the network in micro-batches with replay, and answer with vectors: the facade of the slow path."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.network.batch_loss import BatchLayout, Pools
from models.network.config import NetworkConfig
from models.network.embedding_table import Array, Index, ItemRows
from models.network.search.strategy_search import StrategySearch
from models.network.trainer import NetworkTrainer
from models.network.user_tower import gather
from models.schema import Domain
from models.state.tracked_tables import Checkpointed
from models.tables.catalogue import Catalogue
from models.tables.replay_buffer import Events, Frequency, ReplayBuffer
from models.tables.user_history import History
from models.text.nearest import Lists
from models.transfer import equations as transfer
from models.transfer.strategies import UNMEASURED, Judged, Strategy


class NetworkLearner(Checkpointed):
    """The network with its trainer, item rows, replay buffer and random draws.

    Call `context(user)` before each event is learned, and give `learn` the contexts of a micro-batch. Scoring draws no
    random numbers and changes only a cache.
    """

    def __init__(
        self,
        domains: Sequence[Domain],
        catalogues: list[Catalogue],
        history: History,
        config: NetworkConfig,
        seed: int = 0,
    ) -> None:
        self.domains, self.catalogues, self.history, self.config = list(domains), catalogues, history, config
        self.dim = config.dim
        self.items = ItemRows([c.ids.capacity for c in catalogues], config.dim, config.item_rate)
        strategy: Strategy = UNMEASURED if config.strategy == "auto" else config.strategy
        self.trainer = NetworkTrainer(
            domains, catalogues, self.items, config, [strategy] * len(self.domains), seed
        )
        self.search = StrategySearch(self.trainer, self.items) if config.strategy == "auto" else None
        self.buffer = ReplayBuffer(config.replay_capacity, config.recent, len(catalogues))
        self._frequency = [Frequency(config.popularity_half_life) for _ in catalogues]
        self._rng = np.random.default_rng(seed)

    @property
    def steps(self) -> int:
        """The number of steps so far."""
        return self.trainer.steps

    @property
    def skipped(self) -> int:
        """The number of steps that were skipped because the loss was not finite."""
        return self.trainer.skipped

    @property
    def strategy(self) -> list[Strategy]:
        """The strategy of each domain. Only those of targets count."""
        return self.trainer.strategy

    # --- learning ---------------------------------------------------------------------------------

    def context(self, user: int | None) -> NDArray[np.float64]:
        """Return (recent, 3): domain, row and time of the user's latest items, newest first; domain -1 for none."""
        newest: NDArray[np.float64] = self.history.newest([user], self.config.recent)[0]
        return newest

    def learn(
        self,
        domain: Index,
        user: Index,
        item: Index,
        residual: Array,
        time: NDArray[np.float64],
        recent: NDArray[np.float64] | Sequence[NDArray[np.float64]],
    ) -> float:
        """Learn a micro-batch of B events with replay, in one step or several. Return the mean loss.

        The loss is nan if a step was skipped. domain, user, item: (B,) indices and rows. residual: (B,) rating minus
        prediction, nan for clicks. time: (B,) seconds. recent: (B, recent, 3), `context(user)` from before each event.
        """
        batch = Events(domain, user, item, residual, time, np.asarray(recent, np.float64))
        parts = np.array_split(np.arange(len(domain)), max(len(domain) // self._step_size(), 1))
        losses = [self._learn(batch.take(part) if len(parts) > 1 else batch) for part in parts]
        return float(np.mean(losses))

    def _step_size(self) -> int:
        """Return the number of events of a step when many wait. It grows with the events learned."""
        config, learned = self.config, int(self.trainer.adapter.events.sum())
        return min(max(learned // config.growth, config.least_step), config.largest_step)

    def _learn(self, batch: Events) -> float:
        loss = self.trainer.train(batch, layout := self._draw(batch))
        if self.search is not None:
            self.search.stepped(batch, layout, loss)
        if np.isfinite(loss):
            self.buffer.add(batch)
            for d, frequency in enumerate(self._frequency):
                frequency.add(batch.item[batch.domain == d])
        return loss

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

    # --- vectors ----------------------------------------------------------------------------------

    def user_vectors_of(self, recent: NDArray[np.float64]) -> Array:
        """Return the vectors of n users from their recent items and the present item vectors, (n, dim).

        recent: (n, L, 3) float64 domain, row and time (seconds), newest first; domain -1 for none. L is at most
        `recent` of the config. A user's vector does not depend on the other users of the call.
        """
        count, length = recent.shape[:2]
        vectors = np.empty((count * length, self.dim), np.float32)
        near = np.full((count, length), -1, np.int64)
        for d, catalogue in enumerate(self.catalogues):
            if catalogue.size:
                gather(d, recent, self.item_vectors(d), vectors, near)
        return self.trainer.scorer.users(vectors, near, recent)

    def user_vectors(self, users: list[int | None]) -> Array:
        """Return the vectors of users from the present `History`, (n, dim). users: rows, None for a new user."""
        if not users:
            return np.zeros((0, self.dim), np.float32)
        return self.user_vectors_of(self.history.newest(users, self.config.recent))

    def item_vectors(self, domain: int) -> Array:
        """Return the cached item vectors, (catalogue size, dim); see `ItemVectors`. Do not write to them."""
        return self.trainer.vectors[domain].get()

    def affinity(self, domain: int, users: list[int | None]) -> Array:
        """Return the dot products of users and items, (n, catalogue size). users: rows, None for a new user."""
        return self.user_vectors(users) @ self.item_vectors(domain).T

    def item_lists(self, domain: int) -> Lists:
        """Return the index of a domain's item vectors in the form that kernels search."""
        return self.trainer.vectors[domain].lists()

    def vectors_of_items(self, domain: int, rows: Index) -> Array:
        """Return the vectors of a domain's items, (n, dim). An item without a row (-1) has that of an empty text."""
        vectors = self.trainer.vectors[domain]
        if rows.min(initial=0) >= 0:
            known: Array = vectors.get()[rows]
            return known
        there = rows >= 0
        out = np.empty((len(rows), self.dim), np.float32)
        out[there] = vectors.get()[rows[there]]
        out[~there] = vectors.of_text(np.zeros(self.catalogues[domain].dim, np.float32))
        return out

    def rating_residuals(self, vectors: Array, items: Array, domain: Index) -> Array:
        """Return the rating head's residuals, (n,), in units of the rating: what it adds to the rating model.

        vectors, items: (n, dim) of users and items. domain: (n,).
        """
        return self.trainer.scorer.ratings(vectors, items, domain)

    def rating_residual(self, domain: int, user: int | None, item: int | None, vector: Array | None) -> float:
        """Return the rating head's residual of one event. vector: (T,) the text of an item without a row."""
        vectors = self.trainer.vectors[domain]
        v = vectors.of_text(vector) if item is None else vectors.get()[item]
        return float(self.rating_residuals(self.user_vectors([user]), v[None], np.array([domain]))[0])

    def touch_item(self, domain: int, row: int) -> None:
        """Compute the item's vector again at the next read, because its text or its row has changed."""
        self.trainer.vectors[domain].touch(row)
        if self.search is not None:
            self.search.touch_item(domain, row)

    # --- adaptation -------------------------------------------------------------------------------

    def adaptation_rate(self, domain: int) -> float:
        """Return the shrinkage of the domain's bias vectors towards the sources' in 256 of its events, 0 to 1."""
        return self.trainer.adaptation_rate(domain)

    def domain_bias(self, domain: int) -> dict[str, float]:
        """Return, by name, the norm of each bias vector of the domain, and its distance to the sources' mean."""
        layers = self.trainer.network.domain_layers
        return transfer.bias_terms(layers, domain, self.trainer.adapter.weights(domain))

    def divergence(self, target: int) -> dict[int, float]:
        """Return the target's divergence from each of its sources, relative to the length of the vectors.

        It is the latest measurement. Before the first one it is measured now.
        """
        return self.trainer.adapter.divergence[target] or self.trainer.measured()[target]

    def source_weights(self, target: int) -> dict[int, float]:
        """Return the weight of each source in the target's bias correction. They add up to 1; empty without sources."""
        return self.trainer.adapter.weights(target)

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
        self.trainer.reweigh(target)
        if self.search is not None:
            self.search.reweigh(target)

    def forget_best(self, source: int) -> None:
        """Forget the source's best parameters so far, because losses from before and after a drift do not compare."""
        self.trainer.adapter.forget_best(source)
        if self.search is not None:
            self.search.forget_best(source)

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

    def make_room(self, items: Sequence[int]) -> None:
        """Raise the capacity of the item rows. items: the number of rows of each domain."""
        self.items.table.capacity = sum(items)

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
        """Load a state. Rows of users, which earlier versions had, are ignored."""
        self.trainer.kappa = list(state["kappa"])
        self._rng.bit_generator.state = json.loads(state["rng"])
        self.items.load(state["items"])
        self.buffer.load(state["buffer"])
        for d, frequency in enumerate(self._frequency):
            frequency.counts = state["counts"][str(d)].copy()
        self.trainer.load(state)
        if self.search is not None:
            self.search.load(state.get("contest"))
