"""One batch through both towers, and the loss of each of its events.

B events, M distinct items, L recent items, D dimensions of the shared space, K domains; as in `two_tower.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.network.embedding_table import Array, Index, ItemTable
from models.network.two_tower import HIDDEN_LOGIT, Network
from models.tables.catalogue import Catalogue
from models.tables.replay_buffer import Events, age, coded, item_code
from models.transfer import equations as transfer

Pools = dict[int, tuple[Index, Array]]
"""By domain: (M_d,) ascending candidate rows, and log Q of each; see `Frequency.pool`."""


class Choices(NamedTuple):
    """The events of one domain and the candidates that they compete with."""

    events: Tensor  # (B_d,) places in the batch
    candidates: Tensor  # (M_d,) places among the batch's items
    wanted: Tensor  # (B_d,) places among the candidates
    log_q: Tensor  # (M_d,)
    had: Tensor  # (B_d, M_d) whether the user had the candidate lately


class BatchLayout:
    """What a batch needs besides parameters: its distinct items and where they occur. Champion and shadow share it."""

    def __init__(
        self, events: Events, fresh: int, pools: Pools, items: ItemTable, catalogues: list[Catalogue]
    ) -> None:
        """events: the micro-batch, which is the first `fresh` of them, and the replay sample behind it."""
        self.domain, self.fresh = events.domain, fresh
        present, near = events.used, events.recent_codes()  # (B, L)
        pool_codes = {d: item_code(d, pool) for d, (pool, _) in pools.items()}
        codes = np.unique(np.concatenate([near[present], *pool_codes.values()]))  # (M,)
        of, row = coded(codes)
        self.slots = np.empty(len(codes), np.int64)
        """(M,) rows of the embedding table, -1 for items without."""
        text = np.empty((len(codes), catalogues[0].dim), np.float32)
        for d in map(int, np.unique(of)):
            self.slots[of == d] = items.find(d, row[of == d])
            text[of == d] = catalogues[d].vectors[row[of == d]]
        self.item_domain, self.text = torch.from_numpy(of), torch.from_numpy(text)  # (M,), (M, T)
        self.near = torch.from_numpy(np.searchsorted(codes, np.where(present, near, codes[0])))  # (B, L)
        self.present, self.age = torch.from_numpy(present), torch.from_numpy(age(events.recent))  # (B, L)
        own = np.searchsorted(codes, item_code(events.domain, events.item))
        self.own = torch.from_numpy(own)  # (B,) places of the events' items
        self.rated = np.flatnonzero(np.isfinite(events.residual))
        """Places of the ratings in the batch."""
        self.residual = torch.from_numpy(events.residual[self.rated])
        self.choices = [
            self._choices(events, d, pools[d], np.searchsorted(codes, pool_codes[d])) for d in pools
        ]

    def _choices(self, events: Events, domain: int, pool: tuple[Index, Array], at: Index) -> Choices:
        rows, log_q = pool
        here = np.flatnonzero(events.domain == domain)
        wanted = np.searchsorted(rows, events.item[here])
        had = events.take(here).had(domain, rows, wanted)
        return Choices(*map(torch.from_numpy, (here, at, wanted, log_q, had)))


class BatchForward:
    """Every item named anywhere in the batch goes through the item tower once: v (M, D); users: u (B, D)."""

    def __init__(self, layout: BatchLayout, network: Network, items: ItemTable) -> None:
        self._layout, self._network, self._items = layout, network, items
        self.leaf = torch.from_numpy(items.table.rows(layout.slots)).requires_grad_()
        """(M, D) the table rows that took part; their gradients go to `descend`."""
        self._v = network.items(self.leaf, layout.text, layout.item_domain)  # (M, D)
        near = self._v[layout.near, :-1]  # (B, L, F)
        self._u = network.users(near, layout.present, layout.age)  # (B, D)
        self.own = self._v[layout.own]
        """(B, D) vectors of the events' items."""

    def choice(self) -> Tensor:
        """Return (B,): cross entropy of the softmax over the pool, without what the user had lately; in nats."""
        losses = torch.zeros(len(self._layout.domain))
        for one in self._layout.choices:
            logits = self._u[one.events] @ self._v[one.candidates].T - one.log_q  # (B_d, M_d)
            logits = logits.masked_fill(one.had, HIDDEN_LOGIT)
            own = torch.nn.functional.cross_entropy(logits, one.wanted, reduction="none")
            losses = losses.index_put((one.events,), own)
        return losses

    def rating(self) -> Tensor:
        """Return (ratings,): half the squared error of the residual."""
        some = torch.from_numpy(self._layout.rated)
        domain = torch.from_numpy(self._layout.domain[self._layout.rated])
        predicted = self._network.ratings(self._u[some], self.own[some], domain)
        return 0.5 * (predicted - self._layout.residual) ** 2

    def by_role(self, choice: Tensor, rating: Tensor, is_target: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        """Return L_source and L_target: means over a task's events, summed over tasks with their learned weights.

        is_target: (K,), by domain. A task's s / 2 stands with the source, as it does not depend on λ.
        """
        source = target = torch.zeros(())
        domain = self._layout.domain
        for task, losses, of in ((0, choice, domain), (1, rating, domain[self._layout.rated])):
            if len(losses):
                own, s = torch.from_numpy(is_target[of]), self._network.log_variance[task]
                source = source + transfer.uncertainty_weighted(losses[~own].sum() / len(losses), s)
                target = target + torch.exp(-s) * losses[own].sum() / len(losses)
        return source, target

    def descend(self) -> None:
        """Take one step on the table rows, once gradients are there."""
        self._items.table.descend(self._layout.slots, self.leaf.grad)
