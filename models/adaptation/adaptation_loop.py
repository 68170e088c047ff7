"""Run the adaptation loop: detect drift, try an action as a challenger, and judge it by a test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.adaptation.actions import Action, plan
from models.adaptation.challengers import CHALLENGERS, Challenger, FreshBias, outcome, take_up
from models.adaptation.drift_detectors import Detector, DriftDetectors
from models.assessment.paired_test import Outcome
from models.assessment.prequential import ndcg_losses
from models.learning.facts import Facts
from models.learning.learner import Learner
from models.ranking.proposal import FULL
from models.schema import Interaction
from models.sharing.shared_facts import Bias
from models.state.tracked_tables import Checkpointed

DIVERGENCE_EVENTS = 256
"""Events of a target between two looks at its divergence."""


class Notice(NamedTuple):
    """What the loop reports: a detection, the start of an action, or its verdict."""

    domain: str
    event: str
    """The detector, the action, or `strategy_<name>` for a strategy that the network tried."""
    outcome: Outcome | None = None
    """None for a detection."""
    score: float = 0.0
    """The size of the shift for a detection. For a verdict, the champion's mean loss minus the challenger's."""
    events: int = 0
    """For a verdict, the number of events before it."""
    started: bool = False


class AdaptationLoop(Checkpointed):
    """The adaptation loop. Call `step` after every micro-batch. Each domain and part has one challenger at a time."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.drift = DriftDetectors()
        self.running: dict[tuple[str, str], Challenger] = {}
        """Running challengers by domain and by the part that they challenge: `bias` or `ranker`."""
        self._waiting: dict[str, list[Action]] = {}
        self.promoted: list[Bias] | None = None
        """The biases that were promoted, for whoever shares and empties the list; None if nobody does."""
        self._looked: dict[str, int] = {}
        """By target, how often `follow_network` has looked at its divergence."""

    def follow_network(self) -> list[Notice]:
        """Follow a learner whose network alone learns: tell of its trials, and look at the divergence of targets.

        So where several processes share one network, the process that trains it answers what drifts in it.
        """
        notices = self._network()
        for index, what in enumerate(self.learner.domains):
            turn = self.learner.learned[index] // DIVERGENCE_EVENTS
            if what.is_target and turn > self._looked.get(what.name, 0):
                self._looked[what.name] = turn
                if self._diverged(what.name, index):
                    notices += self._answer(index, ["divergence"])
        return notices

    def step(self, events: Sequence[Interaction], facts: Facts) -> list[Notice]:
        """Follow a micro-batch that was just learned; return what happened, in the order of the events.

        What drifted at an event is answered there: a challenger that it begins judges the events after it.
        """
        notices, begin = self._network(), 0
        for n, detected in sorted(self._detect(facts).items()):
            notices += self._judge(events, facts, slice(begin, n + 1))
            notices += self._answer(int(facts.done.domain[n]), detected)
            begin = n + 1
        notices += self._judge(events, facts, slice(begin, len(events)))
        for name, waiting in self._waiting.items():
            if waiting:
                notices += self._begin(name, self.learner.index[name])
        return notices

    def _detect(self, facts: Facts) -> dict[int, list[Detector]]:
        """Show the detectors what was measured before the events were learned; return what drifted, by event."""
        unit = np.array(self.learner.rating.unit)
        error = (facts.value - facts.prediction) / unit[facts.done.domain]
        measured: dict[Detector, NDArray[np.float64]] = {
            "bias": error,
            "rating_error": error * error,
            "ranking_error": ndcg_losses(facts.rank[:, FULL]),
            "popularity": facts.rarity,
        }
        found: dict[int, list[Detector]] = {}
        for index, (what, places) in enumerate(zip(self.learner.domains, facts.places, strict=True)):
            if not len(places):
                continue
            for detector, values in measured.items():
                for at in self.drift.update(what.name, detector, values[places]):
                    found.setdefault(int(places[at]), []).append(detector)
            if what.is_target:
                learned = facts.learned[places]
                for at in np.flatnonzero((learned > 0) & (learned % DIVERGENCE_EVENTS == 0)).tolist():
                    if self._diverged(what.name, index):
                        found.setdefault(int(places[at]), []).append("divergence")
        return found

    def _diverged(self, name: str, domain: int) -> bool:
        distances = self.learner.network.divergence(domain)
        if not distances:
            return False
        value = math.log1p(max(distances.values()))
        return bool(self.drift.update(name, "divergence", np.array([value])))

    def _answer(self, domain: int, detected: list[Detector]) -> list[Notice]:
        """Report what drifted in a domain, and begin the actions to try."""
        what = self.learner.domains[domain]
        notices = [Notice(what.name, d, score=self.drift.watches[what.name, d].score) for d in detected]
        self.learner.network.forget_best(
            domain
        )  # the best parameters so far belong to the time before the drift
        waiting = self._waiting.setdefault(what.name, [])
        waiting += [action for action in plan(detected, what.is_target) if action not in waiting]
        return notices + self._begin(what.name, domain)

    def _judge(self, events: Sequence[Interaction], facts: Facts, places: slice) -> list[Notice]:
        """Let the challengers judge and learn some of the events; return the verdicts."""
        notices = []
        for (name, part), challenger in list(self.running.items()):
            challenger.step(events, facts, places)
            verdict = outcome(challenger.test)
            if verdict is None:
                continue
            if verdict == "promoted":
                challenger.promote()
                if self.promoted is not None and isinstance(challenger, FreshBias):
                    self.promoted.append(challenger.shared())
            test = challenger.test
            notices.append(Notice(name, challenger.action, verdict, test.mean, test.count))
            del self.running[name, part]
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

    def take_up(self, bias: Bias) -> None:
        """Take up a bias that another shard has promoted, or this one before a crash, and end its challenger here."""
        take_up(self.learner, bias)
        self.running.pop((bias.domain, "bias"), None)

    def users(self) -> set[str]:
        """Return the ids that challengers hold."""
        return {user for challenger in self.running.values() for user in challenger.users()}

    def drop_user(self, user_id: str) -> None:
        """Forget the user in all challengers."""
        for challenger in self.running.values():
            challenger.drop_user(user_id)

    def live(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "drift": self.drift.state(),
            "waiting": self._waiting,
            "looked": dict(self._looked),
            "running": {"\t".join(key): [c.action, c.live()] for key, c in self.running.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.drift.load(state["drift"])
        self._looked = dict(state.get("looked", {}))
        self._waiting = {name: list(actions) for name, actions in state["waiting"].items()}
        self.running = {}
        for key, (action, held) in state["running"].items():
            name, slot = key.split("\t")
            challenger = CHALLENGERS[action](action, self.learner, self.learner.index[name])
            challenger.load(held)
            self.running[name, slot] = challenger
