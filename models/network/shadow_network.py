"""A copy of a network learner, the champion, that learns the champion's draws with a strategy of its own."""

from __future__ import annotations

from typing import Any

from models.network.copy_on_write_table import ItemOverlay, RowOverlay
from models.network.network_learner import NetworkLearner
from models.network.trainer import NetworkStudent
from models.state.tracked_tables import whole
from models.transfer.strategies import PLANS, Strategy


class Rival(NetworkStudent):
    """Begins as the champion is. Of the rows it holds only those learned since; see `RowOverlay`."""

    def __init__(self, champion: NetworkLearner) -> None:
        users, items = RowOverlay(champion._users), ItemOverlay(champion._items)
        self._tables = {"users": users, "items": items.table}
        super().__init__(
            champion.domains, champion.catalogues, users, items, champion.shape, champion.strategy
        )
        super().load(whole(NetworkStudent.live(champion)))

    def try_out(self, target: int, strategy: Strategy) -> None:
        """From now on the target's strategy is this one."""
        self.strategy[target] = strategy
        if PLANS[strategy].only_shares:
            self.adapter.share_anew(target)

    def take_over_rows(self) -> None:
        """The champion's rows become these."""
        for table in self._tables.values():
            table.take_over()

    def end(self) -> None:
        """The champion's tables are alone again."""
        for table in self._tables.values():
            table.base.overlay = None

    def live(self) -> dict[str, Any]:
        return super().live() | {name: table.live() for name, table in self._tables.items()}

    def load(self, state: dict[str, Any]) -> None:
        super().load(state)
        for name, table in self._tables.items():
            table.load(state[name])
