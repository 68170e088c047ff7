"""Run one batch through both towers, and compute the loss of each of its events.

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
from models.tables.replay_buffer import Events, age
from models.transfer import equations as transfer

Pools = dict[int, tuple[Index, Array]]
"""For each domain, its candidate rows, (M_d,) ascending, and the log Q of each; see `Frequency.pool`."""

NO_POOL = (np.zeros(0, np.int64), np.zeros(0, np.float32))


class Choices(NamedTuple):
    """The events of one domain and the candidates that they compete with."""

    events: Tensor  # (B_d,) places in the batch
    candidates: Tensor  # (M_d,) places among the batch's items
    wanted: Tensor  # (B_d,) places among the candidates
    log_q: Tensor  # (M_d,)
    had: Tensor  # (B_d, M_d) whether the candidate is a recent item of the user


class BatchLayout:
    """The distinct items of a batch, and where they occur. A network and its shadow share it."""

    def __init__(
        self, events: Events, fresh: int, pools: Pools, items: ItemTable, catalogues: list[Catalogue]
    ) -> None:
        """Lay out a batch. events: `fresh` new events, then the replay sample. pools: candidates by domain."""
        self.domain, self.fresh = events.domain, fresh
        recent_row = events.recent[:, :, 1].astype(np.int64)  # (B, L)
        near = np.full(recent_row.shape, -1, np.int64)  # (B, L) places among the batch's items, -1 for none
        own = np.empty(len(events.item), np.int64)
        slots, texts, self.choices, count = [], [], [], 0
        counts = np.zeros(len(catalogues), np.int64)
        for d, catalogue in enumerate(catalogues):
            here = events.recent[:, :, 0] == d
            pool, log_q = pools.get(d, NO_POOL)
            named = np.zeros(catalogue.size, np.bool_)
            named[recent_row[here]] = True
            named[pool] = True
            rows = np.flatnonzero(named)
            place = np.cumsum(named) - 1 + count  # by catalogue row
            near[here] = place[recent_row[here]]
            slots.append(items.find(d, rows))
            texts.append(catalogue.vectors[rows])
            if d in pools:
                mine = np.flatnonzero(events.domain == d)
                own[mine] = place[events.item[mine]]
                wanted = np.searchsorted(pool, events.item[mine])
                had = events.take(mine).had(d, pool, wanted)
                columns = (mine, place[pool], wanted, log_q, had)
                self.choices.append(Choices(*map(torch.from_numpy, columns)))
            counts[d] = len(rows)
            count += len(rows)
        self.slots = np.concatenate(slots)
        """(M,) rows of the embedding table, -1 for an item without one."""
        self.item_domain = torch.from_numpy(np.repeat(np.arange(len(catalogues)), counts))  # (M,)
        self.text = torch.from_numpy(np.concatenate(texts))  # (M, T)
        self.near, self.own = torch.from_numpy(near), torch.from_numpy(own)  # (B, L), (B,)
        self.age = torch.from_numpy(age(events.recent))  # (B, L)
        self.rated = np.flatnonzero(np.isfinite(events.residual))
        """Places of the ratings in the batch."""
        self.residual = torch.from_numpy(events.residual[self.rated])


class BatchForward:
    """The vectors of a batch: of its distinct items, v (M, D), and of its users, u (B, D)."""

    def __init__(self, layout: BatchLayout, network: Network, items: ItemTable) -> None:
        self._layout, self._network, self._items = layout, network, items
        self.leaf = torch.from_numpy(items.table.rows(layout.slots)).requires_grad_()
        """(M, D) the table rows of the items. `descend` applies their gradients."""
        self._v = network.items(self.leaf, network.fixed_inputs(layout.text, layout.item_domain))  # (M, D)
        self._u = network.users(self._v[:, :-1], layout.near, layout.age)  # (B, D)
        self.own = self._v.index_select(0, layout.own)
        """(B, D) vectors of the events' items."""

    def choice(self) -> Tensor:
        """Return (B,): the cross entropy of the softmax over the pool in nats, without the user's recent items."""
        losses = torch.zeros(len(self._layout.domain))
        for one in self._layout.choices:
            users = self._u.index_select(0, one.events)  # (B_d, D)
            candidates = self._v.index_select(0, one.candidates)  # (M_d, D)
            logits = torch.addmm(-one.log_q, users, candidates.T)  # (B_d, M_d)
            logits = logits.masked_fill(one.had, HIDDEN_LOGIT)
            own = torch.nn.functional.cross_entropy(logits, one.wanted, reduction="none")
            losses = losses.index_put((one.events,), own)
        return losses

    def rating(self) -> Tensor:
        """Return half the squared error of the residual of each rating, (ratings,)."""
        some = torch.from_numpy(self._layout.rated)
        domain = torch.from_numpy(self._layout.domain[self._layout.rated])
        users, items = self._u.index_select(0, some), self.own.index_select(0, some)
        predicted = self._network.ratings(users, items, domain)
        return 0.5 * (predicted - self._layout.residual) ** 2

    def by_role(self, choice: Tensor, rating: Tensor, is_target: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        """Return L_source and L_target: means over each task's events, summed over tasks with their learned weights.

        is_target: (K,) by domain. A task's term s / 2 belongs to L_source, so that it does not depend on λ.
        """
        source = target = torch.zeros(())
        domain = self._layout.domain
        for task, losses, of in ((0, choice, domain), (1, rating, domain[self._layout.rated])):
            if len(losses):
                own, s = torch.from_numpy(is_target[of]), self._network.log_variance[task]
                source = source + transfer.uncertainty_weighted(losses[~own].sum() / len(losses), s)
                target = target + torch.exp(-s) * losses[own].sum() / len(losses)
        return source, target

    def descend(self, scale: float) -> None:
        """Take one step on the table rows at `scale` times their rate. Call it after the backward pass."""
        self._items.table.descend(self._layout.slots, self.leaf.grad, scale)
