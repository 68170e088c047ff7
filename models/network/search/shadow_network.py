"""Train a copy of a network, the champion, on the same batches with another strategy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from models.network.batch_loss import BatchLayout
from models.network.copy_on_write_table import CopyOnWriteItems
from models.network.embedding_table import ItemRows
from models.network.trainer import Gradients, NetworkTrainer
from models.state.tracked_tables import Checkpointed, full_state
from models.transfer.strategies import PLANS, Strategy


class ShadowNetwork(Checkpointed):
    """A challenger of the network, which begins as a copy of the champion.

    It holds only the item rows that were learned since; see `CopyOnWriteTable`.
    """

    def __init__(self, champion: NetworkTrainer, items: ItemRows) -> None:
        self._champion, self._items = champion, CopyOnWriteItems(items)
        self.trainer = NetworkTrainer(
            champion.domains, champion.catalogues, self._items, champion.config, champion.strategy,
            champion.workers,
        )  # fmt: skip
        self.trainer.load(full_state(champion.live()))

    def try_out(self, target: int, strategy: Strategy) -> None:
        """Use this strategy for the target from now on."""
        self.trainer.strategy[target] = strategy
        if PLANS[strategy].only_shares:
            self.trainer.adapter.share_anew(target)

    def start(self, layout: BatchLayout) -> Callable[[], Gradients]:
        """Start to compute the gradients of the step that the champion takes. Return what waits for them."""
        self.trainer.kappa = list(self._champion.kappa)
        return self.trainer.workers.start(partial(self.trainer.gradients, layout))

    def take_over(self) -> None:
        """Give the champion this network's rows, parameters and strategies. κ stays the champion's."""
        self._items.table.take_over()
        self._champion.load(full_state(self.trainer.live()))
        self._champion.strategy = list(self.trainer.strategy)

    def end(self) -> None:
        """Detach this network from the champion's table."""
        self._items.table.detach()

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return self.trainer.live() | {"items": self._items.table.live()}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state. Rows of users, which earlier versions had, are ignored."""
        self.trainer.load(state)
        self._items.table.load(state["items"])
