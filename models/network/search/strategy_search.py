"""Search for the best strategy of each target while the network learns, for `strategy = "auto"`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from models.network.batch_loss import BatchLayout
from models.network.embedding_table import ItemRows
from models.network.search.shadow_network import ShadowNetwork
from models.network.trainer import Gradients, NetworkTrainer
from models.state.tracked_tables import Checkpointed
from models.tables.replay_buffer import Events
from models.transfer.strategies import READY_EVENTS, Judged, Search, first_choice


class StrategySearch(Checkpointed):
    """A search for strategies: at times a shadow of the network tries another strategy for one target.

    A target begins with `correct`. Once it has 1,024 events, its measured divergence chooses. From then on prequential
    evidence chooses: a shadow learns the same batches as the network, the champion. If a test of the paired losses of
    each event finds that the shadow errs less, the champion takes over its state and its strategy.
    While there is a shadow, steps take about twice the time; that is a tenth of all events at most (`COOLDOWN_FACTOR`).
    """

    def __init__(self, champion: NetworkTrainer, items: ItemRows) -> None:
        self._champion, self._items = champion, items
        adapter = champion.adapter
        self._search = Search([t for t, sources in adapter.sources.items() if sources])
        self.shadow: ShadowNetwork | None = None
        self._chosen: set[int] = set()
        """Targets whose strategy the divergence has chosen."""
        self.verdicts: list[Judged] = []
        """Trials that have ended. The reader empties this list."""

    def start(self, layout: BatchLayout) -> Callable[[], Gradients] | None:
        """Start to compute the gradients of the shadow, if there is one. Return what waits for them."""
        return None if self.shadow is None else self.shadow.start(layout)

    def stepped(self, batch: Events, found: Gradients | None, loss: float) -> None:
        """Follow the champion's step on this batch. found: of the shadow. loss: nan if the champion skipped it."""
        trial, shadow = self._search.trial, self.shadow
        if trial is None or shadow is None or found is None:
            self._choose()
            self._begin(len(batch.domain))
            return
        if not np.isfinite(loss):
            return  # the shadow skips the batches that the champion skips
        if not np.isfinite(shadow.trainer.descend(batch, found)):
            self.end_trial()
            return
        if trial.steps:
            trial.add(batch.domain, self._champion.event_losses, shadow.trainer.event_losses)
        else:
            trial.learned(len(batch.domain))
        verdict = trial.verdict()
        if verdict == "better":
            shadow.take_over()
        if verdict != "open":
            self.verdicts.append(trial.judged())
            self.end_trial()

    def _choose(self) -> None:
        adapter = self._champion.adapter
        for t in self._search.targets:
            weights, measured = adapter.weights(t), adapter.divergence[t]
            if t not in self._chosen and adapter.events[t] >= READY_EVENTS and measured:
                divergence = sum(w * measured.get(s, 0.0) for s, w in weights.items())
                self._champion.strategy[t] = first_choice(divergence)
                self._chosen.add(t)

    def _begin(self, step: int) -> None:
        trial = self._search.begin(self._champion.strategy, self._champion.adapter.events, step)
        if trial is not None:
            self.shadow = ShadowNetwork(self._champion, self._items)
            self.shadow.try_out(trial.target, trial.candidate)

    def end_trial(self) -> None:
        """End the running trial, with or without a verdict."""
        self._search.end()
        if self.shadow is not None:
            self.shadow.end()
            self.shadow = None

    def realign(self, target: int) -> None:
        """Try strategies that align this target next, because it has drifted from its sources."""
        self._search.want(target)

    def touch_item(self, domain: int, row: int) -> None:
        """Compute the shadow's vector of the item again at the next read."""
        if self.shadow is not None:
            self.shadow.trainer.vectors[domain].touch(row)

    def forget_best(self, source: int) -> None:
        """Forget the best parameters of a source in the shadow; see `DomainAdapter.forget_best`."""
        if self.shadow is not None:
            self.shadow.trainer.adapter.forget_best(source)

    def reweigh(self, target: int) -> None:
        """Weigh the target's sources again in the shadow; see `NetworkTrainer.reweigh`."""
        if self.shadow is not None:
            self.shadow.trainer.reweigh(target)

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        shadow = self.shadow
        state = (
            None if shadow is None else {"state": shadow.live(), "strategy": list(shadow.trainer.strategy)}
        )
        return {
            "strategy": list(self._champion.strategy),
            "measured": sorted(self._chosen),
            "search": self._search.state(),
            "rival": state,
        }

    def load(self, state: dict[str, Any] | None) -> None:
        """Load a state, after the champion has loaded its own. None, from a fixed strategy, begins again."""
        if self.shadow is not None:
            self.shadow.end()
        self.shadow, self._chosen = None, set()
        self._search = Search(self._search.targets)
        if state is None:
            return
        self._champion.strategy = list(state["strategy"])
        self._chosen = set(state["measured"])
        self._search.load(state["search"])
        if state["rival"] is not None:
            self.shadow = ShadowNetwork(self._champion, self._items)
            self.shadow.load(state["rival"]["state"])
            self.shadow.trainer.strategy = list(state["rival"]["strategy"])
