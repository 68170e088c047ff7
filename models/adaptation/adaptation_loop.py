"""Run the adaptation loop: detect drift, try an action as a challenger, and judge it by a test."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from models.adaptation.actions import Action, plan
from models.adaptation.challengers import CHALLENGERS, Challenger, outcome
from models.adaptation.drift_detectors import Detector, DriftDetectors
from models.assessment.paired_test import Outcome
from models.assessment.prequential import ndcg_at_10
from models.facts import ScoredEvent
from models.learner import Learner
from models.schema import Interaction
from models.state.tracked_tables import Live

DIVERGENCE_EVENTS = 256
"""Events of a target between two looks at its divergence."""


class Notice(NamedTuple):
    """What the loop tells: a detection, the start of an action, or its verdict."""

    domain: str
    event: str
    """The detector, the action, or `strategy_<name>` for a strategy that the network tried."""
    outcome: Outcome | None = None
    """None for a detection."""
    score: float = 0.0
    """Of a detection, the size of the shift. Of a verdict, champion's minus challenger's mean loss an event."""
    events: int = 0
    """Of a verdict, the number of events before it."""
    started: bool = False


class AdaptationLoop(Live):
    """Detects drift and runs challengers, at most one for each domain and part at a time.

    Call `step` for every event, after scoring and before learning.
    """

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.drift = DriftDetectors()
        self.running: dict[tuple[str, str], Challenger] = {}
        """Running challengers by domain and by the part that they challenge: `bias` or `ranker`."""
        self._waiting: dict[str, list[Action]] = {}

    def step(self, event: Interaction, scored: ScoredEvent) -> list[Notice]:
        """Measure one event, judge challengers and begin new ones. Return what happened."""
        notices: list[Notice] = []
        domain = self.learner.index[event.domain]
        detected = [
            d for d, x in self._measure(event, scored, domain) if self.drift.update(event.domain, d, x)
        ]
        for detector in detected:
            watch = self.drift.watches[event.domain, detector]
            notices.append(Notice(event.domain, detector, score=watch.score))
        if detected:
            # The best parameters so far belong to the time before the drift.
            self.learner.network.forget_best(domain)
            actions = plan(detected, self.learner.domains[domain].is_target)
            waiting = self._waiting.setdefault(event.domain, [])
            waiting += [action for action in actions if action not in waiting]
        if self.running:
            notices += self._judge(event, scored)
        notices += self._network()
        if self._waiting.get(event.domain):
            notices += self._begin(event.domain, domain)
        return notices

    def _measure(self, event: Interaction, scored: ScoredEvent, domain: int) -> list[tuple[Detector, float]]:
        measured: list[tuple[Detector, float]] = []
        if event.value is not None and scored.prediction is not None:
            error = (event.value - scored.prediction) / self.learner.rating.unit[domain]
            measured += [("bias", error), ("rating_error", error * error)]
        if scored.rank is not None:
            measured.append(("ranking_error", 1.0 - ndcg_at_10(scored.rank)))
        if scored.rarity is not None:
            measured.append(("popularity", scored.rarity))
        events = scored.learned
        if self.learner.domains[domain].is_target and events and events % DIVERGENCE_EVENTS == 0:
            distances = self.learner.network.divergence(domain)
            measured += [("divergence", math.log1p(max(distances.values())))] if distances else []
        return measured

    def _judge(self, event: Interaction, scored: ScoredEvent) -> list[Notice]:
        notices = []
        for key in [key for key in self.running if key[0] == event.domain]:
            challenger = self.running[key]
            challenger.step(event, scored)
            verdict = outcome(challenger.test)
            if verdict is None:
                continue
            if verdict == "promoted":
                challenger.promote()
            test = challenger.test
            notices.append(Notice(event.domain, challenger.action, verdict, test.mean, test.count))
            del self.running[key]
        return notices

    def _network(self) -> list[Notice]:
        """Return the verdicts of the network's own trials of strategies."""
        return [
            Notice(
                self.learner.domains[v.target].name, f"strategy_{v.candidate}", v.outcome, v.mean, v.events
            )
            for v in self.learner.network.take_verdicts()
        ]

    def _begin(self, name: str, domain: int) -> list[Notice]:
        notices = []
        for action in list(self._waiting.get(name, ())):
            slot = (name, "ranker" if action == "shorten_half_lives" else "bias")
            if action in CHALLENGERS:
                if slot in self.running:
                    continue
                self.running[slot] = CHALLENGERS[action](action, self.learner, domain)
            elif action == "realign":
                self.learner.network.realign(domain)
            else:
                self.learner.network.reweigh(domain)
            self._waiting[name].remove(action)
            notices.append(Notice(name, action, started=True))
        return notices

    def users(self) -> set[str]:
        """Return the ids that challengers hold."""
        return {user for challenger in self.running.values() for user in challenger.users()}

    def drop_user(self, user_id: str) -> None:
        for challenger in self.running.values():
            challenger.drop_user(user_id)

    def live(self) -> dict[str, Any]:
        return {
            "drift": self.drift.state(),
            "waiting": self._waiting,
            "running": {"\t".join(key): [c.action, c.live()] for key, c in self.running.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        self.drift.load(state["drift"])
        self._waiting = {name: list(actions) for name, actions in state["waiting"].items()}
        self.running = {}
        for key, (action, held) in state["running"].items():
            name, slot = key.split("\t")
            challenger = CHALLENGERS[action](action, self.learner, self.learner.index[name])
            challenger.load(held)
            self.running[name, slot] = challenger
