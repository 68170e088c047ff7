"""One batch through both towers, and the loss of each of its events.

B events, M distinct items, L recent items, D dimensions of the shared space; as in `models/network.py`.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.network.two_tower import HIDDEN_LOGIT, Array, Index, ItemTable, Network, Table
from models.tables.catalogue import Catalogue
from models.tables.replay_buffer import Events, age, coded, item_code
from models.transfer import equations as transfer

Pools = dict[int, tuple[Index, Array]]
"""By domain: (M_d,) ascending candidate rows, and log Q of each; see `Frequency.pool`."""


class Pass:
    """Every item named anywhere in the batch goes through the item tower once: v (M, D); users: u (B, D)."""

    def __init__(
        self,
        events: Events,
        pools: Pools,
        network: Network,
        items: ItemTable,
        users: Table,
        catalogues: list[Catalogue],
    ) -> None:
        self.events, self._pools, self._network = events, pools, network
        self._items, self._users = items, users
        present, near = events.used, events.recent_codes()  # (B, L)
        candidates = [item_code(d, pool) for d, (pool, _) in pools.items()]
        self._codes = codes = np.unique(np.concatenate([near[present], *candidates]))  # (M,)
        near_at = np.searchsorted(codes, np.where(present, near, codes[0]))  # (B, L)
        of, row = coded(codes)
        self._slots, text = (
            np.empty(len(codes), np.int64),
            np.empty((len(codes), catalogues[0].dim), np.float32),
        )
        for d in map(int, np.unique(of)):
            self._slots[of == d] = items.find(d, row[of == d])
            text[of == d] = catalogues[d].vectors[row[of == d]]
        self._user_rows, user_at = np.unique(events.user, return_inverse=True)
        self._item_leaf = torch.from_numpy(items.table.rows(self._slots)).requires_grad_()
        self._user_leaf = torch.from_numpy(users.rows(self._user_rows)).requires_grad_()
        self._v = network.items(self._item_leaf, torch.from_numpy(text), torch.from_numpy(of))  # (M, D)
        self._u = network.users(  # (B, D)
            self._user_leaf[torch.from_numpy(user_at)],
            self._v[torch.from_numpy(near_at), :-1],
            torch.from_numpy(present),
            torch.from_numpy(age(events.recent)),
        )
        own = np.searchsorted(codes, item_code(events.domain, events.item))
        self.own = self._v[torch.from_numpy(own)]
        """(B, D) vectors of the events' items."""
        self.rated = np.flatnonzero(np.isfinite(events.residual))
        """Which events are ratings."""

    @property
    def leaves(self) -> list[Tensor]:
        """The table rows that took part; their gradients go to `descend`."""
        return [self._item_leaf, self._user_leaf]

    def choice(self) -> Tensor:
        """(B,): cross entropy of the softmax over the pool, without what the user had lately."""
        losses = torch.zeros(len(self.events.domain))
        for d, (pool, log_q) in self._pools.items():
            here = np.flatnonzero(self.events.domain == d)
            wanted = np.searchsorted(pool, self.events.item[here])
            candidates = self._v[
                torch.from_numpy(np.searchsorted(self._codes, item_code(d, pool)))
            ]  # (M_d, D)
            logits = self._u[torch.from_numpy(here)] @ candidates.T - torch.from_numpy(log_q)  # (B_d, M_d)
            had = torch.from_numpy(self.events.take(here).had(d, pool, wanted))
            logits = logits.masked_fill(had, HIDDEN_LOGIT)
            mine = torch.nn.functional.cross_entropy(logits, torch.from_numpy(wanted), reduction="none")
            losses = losses.index_put((torch.from_numpy(here),), mine)
        return losses

    def rating(self) -> Tensor:
        """(len(rated),): half the squared error of the residual."""
        some = torch.from_numpy(self.rated)
        domain = torch.from_numpy(self.events.domain[self.rated])
        predicted = self._network.ratings(self._u[some], self.own[some], domain)
        return 0.5 * (predicted - torch.from_numpy(self.events.residual[self.rated])) ** 2

    def by_role(self, choice: Tensor, rating: Tensor, is_target: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        """L_source and L_target: means over a task's events, summed over the tasks with their learned weights.

        is_target: (K,), by domain. A task's s / 2 stands with the source, as it does not depend on λ.
        """
        source = target = torch.zeros(())
        domain = self.events.domain
        for task, losses, of in ((0, choice, domain), (1, rating, domain[self.rated])):
            if len(losses):
                own, s = torch.from_numpy(is_target[of]), self._network.log_variance[task]
                source = source + transfer.uncertainty_weighted(losses[~own].sum() / len(losses), s)
                target = target + torch.exp(-s) * losses[own].sum() / len(losses)
        return source, target

    def descend(self) -> None:
        """One step on the table rows, once gradients are there."""
        item, user = self._item_leaf.grad, self._user_leaf.grad
        self._items.table.descend(self._slots, item)
        self._users.descend(self._user_rows, user)
