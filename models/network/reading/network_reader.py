"""Answer with vectors from the weights of a network: what scoring, lists and reports read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.network.config import NetworkConfig
from models.network.embedding_table import Array, Index, ItemRows
from models.network.reading.weights import NetworkWeights
from models.network.user_tower import gather
from models.state.tracked_tables import Checkpointed
from models.tables.catalogue import Catalogue
from models.tables.user_history import History
from models.text.nearest import Lists
from models.transfer import equations as transfer
from models.transfer.strategies import UNMEASURED, Strategy


class NetworkReader(Checkpointed):
    """The weights, item rows, and the users' latest items. Reading draws no random numbers and changes only a cache."""

    def __init__(
        self,
        catalogues: list[Catalogue],
        history: History,
        config: NetworkConfig,
        weights: NetworkWeights,
        items: ItemRows,
    ) -> None:
        self.catalogues, self.history, self.config = catalogues, history, config
        self.domains, self.dim = weights.domains, config.dim
        self.weights, self.items = weights, items

    @property
    def steps(self) -> int:
        """The number of steps so far."""
        return self.weights.steps

    @property
    def skipped(self) -> int:
        """The number of steps that were skipped because the loss was not finite."""
        return self.weights.skipped

    @property
    def strategy(self) -> list[Strategy]:
        """The strategy of each domain. Only those of targets count."""
        return self.weights.strategy

    def context(self, user: int | None) -> NDArray[np.float64]:
        """Return (recent, 3): domain, row and time of the user's latest items, newest first; domain -1 for none."""
        newest: NDArray[np.float64] = self.history.newest([user], self.config.recent)[0]
        return newest

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
        return self.weights.scorer.users(vectors, near, recent)

    def user_vectors(self, users: list[int | None]) -> Array:
        """Return the vectors of users from the present `History`, (n, dim). users: rows, None for a new user."""
        if not users:
            return np.zeros((0, self.dim), np.float32)
        return self.user_vectors_of(self.history.newest(users, self.config.recent))

    def item_vectors(self, domain: int) -> Array:
        """Return the cached item vectors, (catalogue size, dim); see `ItemVectors`. Do not write to them."""
        return self.weights.vectors[domain].get()

    def affinity(self, domain: int, users: list[int | None]) -> Array:
        """Return the dot products of users and items, (n, catalogue size). users: rows, None for a new user."""
        return self.user_vectors(users) @ self.item_vectors(domain).T

    def item_lists(self, domain: int) -> Lists:
        """Return the index of a domain's item vectors in the form that kernels search."""
        return self.weights.vectors[domain].lists()

    def vectors_of_items(self, domain: int, rows: Index) -> Array:
        """Return the vectors of a domain's items, (n, dim). An item without a row (-1) has that of an empty text."""
        vectors = self.weights.vectors[domain]
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
        return self.weights.scorer.ratings(vectors, items, domain)

    def rating_residual(self, domain: int, user: int | None, item: int | None, vector: Array | None) -> float:
        """Return the rating head's residual of one event. vector: (T,) the text of an item without a row."""
        vectors = self.weights.vectors[domain]
        v = vectors.of_text(vector) if item is None else vectors.get()[item]
        return float(self.rating_residuals(self.user_vectors([user]), v[None], np.array([domain]))[0])

    def touch_item(self, domain: int, row: int) -> None:
        """Compute the item's vector anew at the next read, because its text or its row has changed."""
        self.weights.vectors[domain].touch(row)

    # --- what is told -------------------------------------------------------------------------------

    def adaptation_rate(self, domain: int) -> float:
        """Return the shrinkage of the domain's bias vectors towards the sources' in 256 of its events, 0 to 1."""
        return self.weights.adaptation_rate(domain)

    def domain_bias(self, domain: int) -> dict[str, float]:
        """Return, by name, the norm of each bias vector of the domain, and its distance to the sources' mean."""
        layers = self.weights.network.domain_layers
        return transfer.bias_terms(layers, domain, self.weights.adapter.weights(domain))

    def divergence(self, target: int) -> dict[int, float]:
        """Return the target's divergence from each of its sources, relative to the length of the vectors.

        It is the latest measurement. Before the first one it is measured now.
        """
        return self.weights.adapter.divergence[target] or self.weights.measured()[target]

    def source_weights(self, target: int) -> dict[int, float]:
        """Return the weight of each source in the target's bias correction. They add up to 1; empty without sources."""
        return self.weights.adapter.weights(target)

    def reweigh(self, target: int) -> None:
        """Weigh the target's sources by their present divergence."""
        self.weights.reweigh(target)

    def make_room(self, items: Sequence[int]) -> None:
        """Raise the capacity of the item rows. items: the number of rows of each domain."""
        self.items.table.capacity = sum(items)


def item_rows(catalogues: Sequence[Catalogue], config: NetworkConfig) -> ItemRows:
    """Return the empty rows of the catalogues' items."""
    return ItemRows([c.ids.capacity for c in catalogues], config.dim, config.item_rate)


def first_strategies(config: NetworkConfig, domains: int) -> list[Strategy]:
    """Return the strategy that each domain begins with."""
    return [UNMEASURED if config.strategy == "auto" else config.strategy] * domains
