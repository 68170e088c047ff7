"""Negative-transfer guard: per target, history bucket and task the arm that is followed, by prequential evidence."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from models.assessment.paired_test import PairedTest
from models.ranking.conditional_logit import BUCKETS

Arm = Literal["full", "target_only", "text", "popularity"]
Task = Literal["rating", "ranking"]
ARMS: tuple[Arm, ...] = ("full", "target_only", "text", "popularity")
NAMES = ("0", *(f"{a}-{b - 1}" for a, b in itertools.pairwise(BUCKETS)), f"{BUCKETS[-1]}+")
"""Of the history buckets: earlier events of the user in the target."""
EPOCH = 2000
"""Events after which the tests begin anew, so that old merits cannot hide a new fault for long."""


def bucket(events: int) -> str:
    """The name of the bucket of a user with so many events in the target."""
    return NAMES[sum(events >= first for first in BUCKETS)]


class Guard:
    """Follows `full` until another arm is better beyond doubt, and then that one on the same terms.

    Every other arm is tested against the followed one on each event that both have judged. A switch needs the lower end
    of an anytime-valid interval of the paired difference above zero (`sequential.PairedTest`, 1 %): an arm that is
    worse by δ on losses of deviation σ is left after O(σ²/δ² log) events, so what is lost by following it is
    O(σ²/δ log) in all; an arm that is as good is left in 1 % of the epochs.
    """

    def __init__(self) -> None:
        self._followed: dict[tuple[str, str, Task], Arm] = {}
        self._tests: dict[tuple[str, str, Task], dict[Arm, PairedTest]] = {}
        self._events: dict[tuple[str, str, Task], int] = {}
        self.switches = 0

    def choice(self, domain: str, bucket: str, task: Task) -> Arm:
        """The arm to follow now."""
        return self._followed.get((domain, bucket, task), "full")

    def update(self, domain: str, bucket: str, task: Task, losses: Mapping[Arm, float]) -> Arm | None:
        """The losses of one event, before it was learned; the arm that is followed from now on, if it changed."""
        key = (domain, bucket, task)
        followed = self.choice(*key)
        if followed not in losses:
            return None
        self._events[key] = self._events.get(key, 0) + 1
        tests = self._tests.setdefault(key, {})
        if self._events[key] % EPOCH == 0:
            tests.clear()
        best: Arm | None = None
        for arm, loss in losses.items():
            if arm == followed:
                continue
            test = tests.setdefault(arm, PairedTest())
            test.add(losses[followed], loss)
            if (
                test.mean > 0
                and test.verdict() == "better"
                and (best is None or test.mean > tests[best].mean)
            ):
                best = arm
        if best is not None:
            self._followed[key] = best
            tests.clear()
            self.switches += 1
        return best

    def choices(self) -> dict[tuple[str, str, Task], Arm]:
        """What is followed, of all that was ever judged."""
        return {key: self.choice(*key) for key in self._events}

    def state(self) -> dict[str, Any]:
        return {
            "\t".join(key): {
                "followed": self.choice(*key),
                "events": events,
                "tests": {arm: msgspec.to_builtins(test) for arm, test in self._tests.get(key, {}).items()},
            }
            for key, events in self._events.items()
        }

    def load(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]
        for name, held in state.items():
            domain, bucket, task = name.split("\t")
            key: Any = (domain, bucket, task)
            self._followed[key], self._events[key] = held["followed"], held["events"]
            self._tests[key] = {arm: msgspec.convert(t, PairedTest) for arm, t in held["tests"].items()}
