"""Which strategy a target uses: what each does, which to begin with, and when to try another.

A *trial* lets a rival with one other strategy for one target learn the same events; see
`models/network/strategy_search.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.assessment.paired_test import Outcome, PairedTest, Verdict

Strategy = Literal["none", "share", "correct", "adversarial", "coral"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


class Plan(NamedTuple):
    """What is done for a target, beside training it."""

    share: bool
    """Its domain layers are its sources' for its first events."""
    correct: bool
    """Shrinkage toward the sources, and the correction loss."""
    align: Literal["adversarial", "coral"] | None = None

    @property
    def only_shares(self) -> bool:
        """It does nothing but at the beginning, so a trial of it has to begin anew."""
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
"""Relative divergence from which domains are aligned: their means are as far apart as vectors are long, squared."""
READY_EVENTS = 1024
"""Of a target, before its divergence counts and trials begin."""
TRIAL_EVENTS, TRIAL_STEPS = 1024, 256
"""A trial ends without a verdict after so many target events, or network steps."""
LEAST_STEPS = 4
"""Network steps of a trial before it ends for its number of events: few large steps show little of a strategy."""
LEAST_EVENTS = 512
"""Of the target, before a verdict: what a strategy does takes time, and what its predecessor did wears off."""
REST = 9
"""Rest after a trial, in multiples of its events: a rival learns at most a tenth of all events, whatever the size of
steps, and so costs at most a tenth of the champion."""


def candidates(current: Strategy) -> list[Strategy]:
    """What can err otherwise than `current` from now on: once a target is past its first events, sharing is `none`."""
    lasting = PLANS[current]._replace(share=False)
    return [
        s
        for s, plan in PLANS.items()
        if s != current and (plan.only_shares or plan._replace(share=False) != lasting)
    ]


def first_choice(divergence: float) -> Strategy:
    """By the weighted relative divergence of a target from its sources: near ones correct, far ones align."""
    return "adversarial" if divergence >= FAR else "correct"


class Trial(msgspec.Struct):
    """A rival with `candidate` for `target`, and the evidence so far."""

    target: int
    candidate: Strategy
    own: PairedTest
    """Losses of the target's events."""
    others: PairedTest
    """Losses of all other events: a strategy may not help its target at their cost."""
    steps: int = 0
    events: int = 0
    """Of all domains, learned since the trial began."""

    def learned(self, events: int) -> None:
        """Count a step on so many events that gives no evidence: before the first, both networks are the same."""
        self.steps += 1
        self.events += events

    def add(self, domain: NDArray[np.int64], champion: NDArray[Any], rival: NDArray[Any]) -> None:
        """Take up the losses of the same new events, (B,) each, from before both learned them."""
        self.learned(len(domain))
        for d, *losses in zip(domain.tolist(), champion.tolist(), rival.tolist(), strict=True):
            (self.own if d == self.target else self.others).add(*losses)

    def verdict(self) -> Verdict:
        """`better`: the rival takes over; `worse`: it goes; `open`: go on."""
        own = self.own.verdict()
        if own == "better" and self.others.verdict() != "worse":
            return "better"
        seen = self.own.count >= TRIAL_EVENTS and self.steps >= LEAST_STEPS
        over = seen or self.steps >= TRIAL_STEPS
        return "worse" if own == "worse" or over else "open"

    def judged(self) -> Judged:
        """What there is to tell once the verdict is no longer open."""
        outcome: Outcome = "promoted"
        if self.verdict() == "worse":
            outcome = "undecided" if self.own.verdict() == "open" else "dropped"
        return Judged(self.target, self.candidate, outcome, self.own.mean, self.own.count)


class Judged(NamedTuple):
    """A trial that is over. mean: how much less the rival erred, per event of the target."""

    target: int
    candidate: Strategy
    outcome: Outcome
    mean: float
    events: int


class Search:
    """Takes targets and candidates in turn, one trial at a time, with a long rest after each."""

    def __init__(self, targets: Sequence[int]) -> None:
        self.targets = list(targets)
        self.trial: Trial | None = None
        self._rest = 0
        """Events of all domains until the next trial may begin."""
        self._turn = 0
        self._next = dict.fromkeys(self.targets, 0)
        self._wanted: list[int] = []
        """Targets that drifted away from their sources: they go first, with a strategy that aligns."""

    def want(self, target: int) -> None:
        """Aligning this target is tried next, once the rest is over: drifts must not raise the cost."""
        if target in self.targets and target not in self._wanted:
            self._wanted.append(target)

    def begin(self, current: Sequence[Strategy], events: NDArray[np.int64], step: int) -> Trial | None:
        """Call once a step without a trial; return the next one, if it is time.

        events: (K,) learned, by domain. step: events of this step.
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
        self.trial = Trial(target, candidate, PairedTest(least=LEAST_EVENTS), PairedTest())
        return self.trial

    def end(self) -> None:
        """The trial is over, whatever its verdict."""
        if self.trial is not None:
            self._rest, self.trial = REST * self.trial.events, None

    def state(self) -> dict[str, Any]:
        return {
            "trial": None if self.trial is None else msgspec.to_builtins(self.trial),
            "rest_events": self._rest,
            "turn": self._turn,
            "next": [self._next[t] for t in self.targets],
            "wanted": list(self._wanted),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.trial = None if state["trial"] is None else msgspec.convert(state["trial"], Trial)
        self._rest, self._turn = rest_events(state), state["turn"]
        self._wanted = list(state["wanted"])
        self._next = dict(zip(self.targets, state["next"], strict=True))


def rest_events(state: dict[str, Any]) -> int:
    """Return the rest that the state of a `Search` holds, in events; earlier versions counted steps of 256."""
    return int(state["rest_events"] if "rest_events" in state else 256 * state["rest"])
