"""Publish what a network has learned: rows of items that were written, then all other weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from models.network.embedding_table import Index
from models.network.network_learner import NetworkLearner
from models.network.published.packing import Dense, PublishedRows, array, pack

RING = 128
"""Publications whose rows the log keeps. Each also has a 128th of all rows, so any 128 of them have every row."""
PART_ROWS = 2_000
"""Most rows of a record, which then takes about 300 KB."""


class Keyed(NamedTuple):
    """A record for a compacted log, which keeps the newest of each key."""

    key: bytes
    value: bytes


class Publication:
    """Makes the records of one network, in a form that stays small in a compacted log.

    A record of rows is replaced by the one 128 publications later: by then each of its rows was published again. So
    the log holds the present rows and those written lately, however many were ever touched. A reader that takes all
    records in their order has the present rows, wherever it begins.
    """

    def __init__(self, network: NetworkLearner) -> None:
        self._network, self.number = network, 0
        network.items.table.publish()

    def records(self, now: int) -> Iterator[Keyed]:
        """Yield what to publish now. now: Unix ms."""
        network, due = self._network, self._due()
        domain, row = network.items.owners()
        names = [d.name for d in network.domains]
        for part, start in enumerate(range(0, len(due), PART_ROWS)):
            rows = due[start : start + PART_ROWS]
            pairs = zip(domain[rows].tolist(), row[rows].tolist(), strict=True)
            ids = [network.catalogues[d].id_of[at] for d, at in pairs if d >= 0]
            values = network.items.table.values[rows]
            key = f"rows.{self.number % RING}.{part}".encode()
            yield Keyed(key, pack(PublishedRows(names, rows, domain[rows], ids, values)))
        self.number += 1
        yield Keyed(b"dense", pack(self._dense(now)))

    def _due(self) -> Index:
        """Return the rows written since the last publication, and this one's part of all."""
        items = self._network.items
        written, turn = items.table.take_unpublished(), np.arange(self.number % RING, items.used, RING)
        return np.union1d(written[written < items.used], turn)  # the table has room for more rows

    def _dense(self, now: int) -> Dense:
        trainer = self._network.trainer
        parameters = {name: array(p.detach().numpy()) for name, p in trainer.network.named_parameters()}
        adapter = trainer.adapter
        return Dense(
            now, [d.name for d in trainer.domains], trainer.steps, trainer.skipped, adapter.events.tolist(),
            list(trainer.kappa), list(trainer.strategy), adapter.divergence, parameters,
        )  # fmt: skip
