"""Choose the strategy of a target: what each does, which to begin with, and when to try another.

In a *trial* a shadow network, with another strategy for one target, learns the same events. See
`models/network/search/strategy_search.py`. To add a strategy, see "How to add" in `CONTRIBUTING.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.assessment.paired_test import Outcome, PairedTest, Verdict
from models.settings import STRATEGIES, Strategy

__all__ = ["PLANS", "STRATEGIES", "Strategy"]


class Plan(NamedTuple):
    """What a strategy does for a target, beside training it."""

    share: bool
    """Whether its domain layers are those of its sources for its first events."""
    correct: bool
    """Whether it is shrunk towards the sources and has the correction loss."""
    align: Literal["adversarial", "coral"] | None = None

    @property
    def only_shares(self) -> bool:
        """Whether it acts only at the beginning, so that a trial of it has to begin again."""
        return self.share and not self.correct and self.align is None


PLANS: dict[Strategy, Plan] = {
    "none": Plan(False, False),
    "share": Plan(True, False),
    "correct": Plan(True, True),
    "adversarial": Plan(True, True, "adversarial"),
    "coral": Plan(True, True, "coral"),
}
UNMEASURED: Strategy = "correct"
FAR = 0.5
"""Relative divergence (`divergence.relative_divergence`) from which on domains are aligned."""
READY_EVENTS = 1024
"""Events of a target before its divergence counts and trials begin."""
MAX_TRIAL_EVENTS, MAX_TRIAL_STEPS = 1024, 256
"""Most target events, and most network steps, of a trial. After them it ends without a verdict."""
MIN_TRIAL_STEPS = 4
"""Fewest network steps before a trial ends by its number of events: few large steps show little of a strategy."""
MIN_TRIAL_EVENTS = 512
"""Fewest target events of a trial: a shorter one would measure the after-effects of the earlier strategy."""
COOLDOWN_FACTOR = 9
"""Rest after a trial, in multiples of its events. So a shadow network learns at most a tenth of all events, for any
size of steps, and costs at most a tenth of the network in use."""


def candidates(current: Strategy) -> list[Strategy]:
    """Return strategies that may err differently from `current`. After a target's first events, sharing is `none`."""
    lasting = PLANS[current]._replace(share=False)
    return [
        s
        for s, plan in PLANS.items()
        if s != current and (plan.only_shares or plan._replace(share=False) != lasting)
    ]


def first_choice(divergence: float) -> Strategy:
    """Return a strategy by the weighted relative divergence of a target from its sources: near: correct, far: align."""
    return "adversarial" if divergence >= FAR else "correct"


class Trial(msgspec.Struct):
    """A trial of `candidate` for `target`, and the evidence so far."""

    target: int
    candidate: Strategy
    own: PairedTest
    """Losses of the target's events."""
    others: PairedTest
    """Losses of all other events. A strategy must not help its target at their cost."""
    steps: int = 0
    events: int = 0
    """Events of all domains, learned since the trial began."""

    def learned(self, events: int) -> None:
        """Count a step on this many events without evidence: before the first step, both networks are equal."""
        self.steps += 1
        self.events += events

    def add(self, domain: NDArray[np.int64], champion: NDArray[Any], rival: NDArray[Any]) -> None:
        """Add both networks' losses of the same new events, (B,) each, from before they learned them."""
        self.learned(len(domain))
        wide = champion.astype(np.float64), rival.astype(np.float64)
        for test, places in ((self.own, domain == self.target), (self.others, domain != self.target)):
            test.add_many(*(losses[places] for losses in wide))

    def verdict(self) -> Verdict:
        """Return `better` if the shadow takes over, `worse` if it is dropped, `open` to go on."""
        own = self.own.verdict()
        if own == "better" and self.others.verdict() != "worse":
            return "better"
        seen = self.own.count >= MAX_TRIAL_EVENTS and self.steps >= MIN_TRIAL_STEPS
        over = seen or self.steps >= MAX_TRIAL_STEPS
        return "worse" if own == "worse" or over else "open"

    def judged(self) -> Judged:
        """Return the verdict to report, once it is no longer open."""
        outcome: Outcome = "promoted"
        if self.verdict() == "worse":
            outcome = "undecided" if self.own.verdict() == "open" else "dropped"
        return Judged(self.target, self.candidate, outcome, self.own.mean, self.own.count)


class Judged(NamedTuple):
    """A finished trial. mean: loss of the network in use minus loss of the shadow, an event of the target."""

    target: int
    candidate: Strategy
    outcome: Outcome
    mean: float
    events: int


class Search:
    """Tries targets and candidates in turn, one trial at a time, with a long rest after each."""

    def __init__(self, targets: Sequence[int]) -> None:
        self.targets = list(targets)
        self.trial: Trial | None = None
        self._rest = 0
        """Events of all domains until the next trial may begin."""
        self._turn = 0
        self._next = dict.fromkeys(self.targets, 0)
        self._wanted: list[int] = []
        """Targets that drifted away from their sources. They are tried first, with a strategy that aligns."""

    def want(self, target: int) -> None:
        """Try to align this target next, after the rest: drifts must not raise the cost."""
        if target in self.targets and target not in self._wanted:
            self._wanted.append(target)

    def begin(self, current: Sequence[Strategy], events: NDArray[np.int64], step: int) -> Trial | None:
        """Return the next trial if it is time. Call it once for each step without a trial.

        events: (K,) learned events by domain. step: number of events in this step.
        """
        self._rest = max(self._rest - step, 0)
        ready = [t for t in self.targets if events[t] >= READY_EVENTS]
        if self._rest or not ready:
            return None
        wanted = next((t for t in self._wanted if t in ready), None)
        if wanted is None:
            target = ready[self._turn % len(ready)]
            self._turn += 1
        else:
            target = wanted
            self._wanted.remove(target)
        choices = [s for s in candidates(current[target]) if wanted is None or PLANS[s].align]
        candidate = choices[self._next[target] % len(choices)]
        self._next[target] += 1
        self.trial = Trial(target, candidate, PairedTest(least=MIN_TRIAL_EVENTS), PairedTest())
        return self.trial

    def end(self) -> None:
        """Note that the trial is over, with any verdict."""
        if self.trial is not None:
            self._rest, self.trial = COOLDOWN_FACTOR * self.trial.events, None

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "trial": None if self.trial is None else msgspec.to_builtins(self.trial),
            "rest_events": self._rest,
            "turn": self._turn,
            "next": [self._next[t] for t in self.targets],
            "wanted": list(self._wanted),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.trial = None if state["trial"] is None else msgspec.convert(state["trial"], Trial)
        self._rest, self._turn = rest_events(state), state["turn"]
        self._wanted = list(state["wanted"])
        self._next = dict(zip(self.targets, state["next"], strict=True))


def rest_events(state: dict[str, Any]) -> int:
    """Return the rest that the state of a `Search` holds, in events; earlier versions counted steps of 256."""
    return int(state["rest_events"] if "rest_events" in state else 256 * state["rest"])
