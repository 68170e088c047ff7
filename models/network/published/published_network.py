"""Follow the weights that another process trains and publishes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.network.config import NetworkConfig
from models.network.embedding_table import Index
from models.network.published.packing import Dense, PublishedRows
from models.network.reading.network_reader import NetworkReader, first_strategies, item_rows
from models.network.reading.weights import NetworkWeights
from models.schema import Domain
from models.tables.catalogue import Catalogue
from models.tables.user_history import History
from models.threads import ALONE, Task, Workers, nothing
from models.transfer.strategies import Judged


class PublishedNetwork(NetworkReader):
    """The weights as they were last published. It learns nothing: no optimizer, no replay buffer.

    Rows of items have the numbers of the publisher's table, so that a row that another item gets there changes its
    owner here too. Whatever adapts the network is decided by the publisher; here it does nothing.
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
        weights = NetworkWeights(domains, catalogues, items, config, first, workers)
        super().__init__(catalogues, history, config, weights, items)
        self._touched: list[set[int]] = [set() for _ in catalogues]
        """By domain, the items whose rows have come since the last dense weights."""

    # --- what is published ------------------------------------------------------------------------

    def take_rows(self, rows: PublishedRows, row_of: Callable[[int, str], int]) -> None:
        """Take in rows of items. row_of: returns the catalogue's row of domain and item id, -1 for none."""
        names = iter(rows.ids)
        owner = np.array([row_of(d, next(names)) if d >= 0 else -1 for d in rows.domain.tolist()], np.int64)
        new = self._changed(rows, owner)
        if not new.any():
            return
        row, domain, owner = rows.row[new], rows.domain[new], owner[new]
        for d, lost in enumerate(self.items.follow(row, rows.values[new])):
            self._touch(d, lost)
        for d in range(len(self.domains)):
            here = (domain == d) & (owner >= 0)
            if here.any():
                self.items.own(d, owner[here], row[here])
                self._touch(d, owner[here])

    def _changed(self, rows: PublishedRows, owner: Index) -> NDArray[np.bool_]:
        """Return (n,) which rows have other values or another owner than here.

        A publisher that starts again publishes every row. Most are as they were, and their vectors need no new look.
        owner: (n,) rows of the catalogues, -1 for none.
        """
        changed = (self.items.table.rows(rows.row) != rows.values).any(1) | (owner < 0)
        for d in range(len(self.domains)):
            here = np.flatnonzero((rows.domain == d) & (owner >= 0))
            changed[here] |= self.items.find(d, owner[here]) != rows.row[here]
        return np.asarray(changed)

    def _touch(self, domain: int, rows: Index) -> None:
        self._touched[domain].update(rows.tolist())
        for row in rows.tolist():
            self.weights.vectors[domain].touch(row)

    @torch.no_grad()
    def take_dense(self, dense: Dense) -> None:
        """Take in all other weights, and compute the items' vectors anew as after the steps that led to them."""
        weights = self.weights
        before = int(weights.adapter.events.sum())
        parameters, changed = dense.parameters, False
        for name, p in weights.network.named_parameters():
            new = torch.from_numpy(parameters[name].copy())
            changed = changed or not torch.equal(p, new)
            p.copy_(new)  # in place: the scorer reads this memory
        weights.steps, weights.skipped = dense.steps, dense.skipped
        weights.kappa, weights.strategy = list(dense.kappa), list(dense.strategy)
        weights.adapter.events = np.array(dense.events, np.int64)
        weights.adapter.divergence = {t: dict(pairs) for t, pairs in dense.divergence.items()}
        # A publisher that has gone on from an older checkpoint is a few events back: as near as after as many more.
        learned = abs(int(weights.adapter.events.sum()) - before)
        if changed and not learned:
            learned = max(catalogue.size for catalogue in self.catalogues)  # another network: nothing is near
        touched = [np.array(sorted(rows), np.int64) for rows in self._touched]
        self._touched = [set() for _ in self.catalogues]
        weights.stepped(learned, touched)

    # --- as a network that learns -----------------------------------------------------------------

    def begin(self, *events: NDArray[Any]) -> Task:
        """Leave learning to the publisher."""
        return nothing

    def take_verdicts(self) -> list[Judged]:
        """Return no trials: the publisher tells of its own."""
        return []

    def realign(self, target: int) -> None:
        """Leave it to the publisher."""

    def reweigh(self, target: int) -> None:
        """Leave it to the publisher."""

    def forget_best(self, source: int) -> None:
        """Leave it to the publisher."""

    def drop_user(self, row: int) -> None:
        """Do nothing: no user is kept here."""

    def end_future(self, now: float) -> None:
        """Do nothing: no time is kept here."""

    def drop_item(self, domain: int, row: int) -> None:
        """Let the item's text alone represent it, until its row is published again."""
        self.items.disown(domain, row)
        self.touch_item(domain, row)

    # --- state ------------------------------------------------------------------------------------

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return self.weights.live() | {
            "kappa": list(self.weights.kappa),
            "followed": list(self.weights.strategy),
            "items": self.items.live(),
            "touched": [sorted(rows) for rows in self._touched],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take up a state, also that of a network that trained here: it is then replaced by what is published."""
        self.weights.kappa = list(state["kappa"])
        self.items.load(state["items"])
        self.weights.load(state)
        for place, strategy in enumerate(state.get("followed", ())):
            self.weights.strategy[place] = strategy
        self._touched = [set(rows) for rows in state.get("touched", [[] for _ in self.catalogues])]
