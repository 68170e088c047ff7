"""`strategy = "auto"`: the network that looks for the best strategy of each target while it learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.network.network_learner import NetworkLearner
from models.network.shadow_network import Rival
from models.network.trainer import Drawn, NetworkStudent
from models.schema import Domain
from models.state.tracked_tables import whole
from models.tables.catalogue import Catalogue
from models.tables.user_history import History
from models.transfer.strategies import READY_EVENTS, Search, first_choice


class Contest(NetworkLearner):
    """A network learner, the champion, and at times a rival copy of it with another strategy for one target.

    Begins with `correct`; once a target has 1,024 events, its measured divergence chooses. From then on prequential
    evidence does: a rival learns the same draws, and the champion takes over its state and strategy if the paired
    differences of their losses, event by event, say that it errs less.
    Cost: while there is a rival, steps take twice the time; that is a tenth of the steps at most, and at most 256 in
    a row.
    """

    def __init__(
        self,
        domains: Sequence[Domain],
        catalogues: list[Catalogue],
        history: History,
        dim: int = 32,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(domains, catalogues, history, dim, seed, **options)
        self._search = Search([t for t, sources in self.adapter.sources.items() if sources])
        self._rival: Rival | None = None
        self._chosen: set[int] = set()
        """Targets for which divergence has chosen."""

    def train(self, drawn: Drawn) -> float:
        loss = super().train(drawn)
        trial, rival = self._search.trial, self._rival
        if trial is None or rival is None:
            self._choose()
            self._begin()
            return loss
        if not np.isfinite(loss):
            return loss  # what one skips, both skip
        rival.kappa = list(self.kappa)
        if not np.isfinite(rival.train(drawn)):
            self._end()
            return loss
        trial.add(drawn.batch.domain, self.event_losses, rival.event_losses)
        verdict = trial.verdict()
        if verdict == "better":
            self._take_over(rival)
        if verdict != "open":
            self.verdicts.append(trial.judged())
            self._end()
        return loss

    def _choose(self) -> None:
        for t in self._search.targets:
            weights, measured = self.adapter.weights(t), self.adapter.divergence[t]
            if t not in self._chosen and self.adapter.events[t] >= READY_EVENTS and measured:
                self.strategy[t] = first_choice(sum(w * measured.get(s, 0.0) for s, w in weights.items()))
                self._chosen.add(t)

    def _begin(self) -> None:
        trial = self._search.begin(self.strategy, self.adapter.events)
        if trial is not None:
            self._rival = Rival(self)
            self._rival.try_out(trial.target, trial.candidate)

    def _take_over(self, rival: Rival) -> None:
        rival.take_over_rows()
        self._memo = self._newcomer = None
        NetworkStudent.load(self, whole(NetworkStudent.live(rival)))
        self.strategy = list(rival.strategy)

    def _end(self) -> None:
        self._search.end()
        if self._rival is not None:
            self._rival.end()
            self._rival = None

    # What happens to rows and vectors happens to the rival's too; its tables hear of it from these.

    def touch_item(self, domain: int, row: int) -> None:
        super().touch_item(domain, row)
        if self._rival is not None:
            self._rival.touch_item(domain, row)

    def reset_item(self, domain: int, row: int) -> None:
        super().reset_item(domain, row)
        if self._rival is not None:
            self._rival.touch_item(domain, row)

    def forget_best(self, source: int) -> None:
        super().forget_best(source)
        if self._rival is not None:
            self._rival.forget_best(source)

    def realign(self, target: int) -> None:
        self._search.want(target)

    def reweigh(self, target: int) -> None:
        super().reweigh(target)
        if self._rival is not None:
            self._rival.reweigh(target)

    def live(self) -> dict[str, Any]:
        rival = self._rival
        contest = {
            "strategy": list(self.strategy),
            "measured": sorted(self._chosen),
            "search": self._search.state(),
            "rival": None if rival is None else {"state": rival.live(), "strategy": list(rival.strategy)},
        }
        return super().live() | {"contest": contest}

    def load(self, state: dict[str, Any]) -> None:
        """A state of a fixed strategy is taken over too: the search then begins."""
        if self._rival is not None:
            self._rival.end()
        super().load(state)
        self._rival, self._chosen = None, set()
        self._search = Search(self._search.targets)
        if (contest := state.get("contest")) is None:
            return
        self.strategy = list(contest["strategy"])
        self._chosen = set(contest["measured"])
        self._search.load(contest["search"])
        if contest["rival"] is not None:
            self._rival = Rival(self)
            self._rival.load(contest["rival"]["state"])
            self._rival.strategy = list(contest["rival"]["strategy"])
