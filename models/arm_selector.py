"""Negative-transfer guard: per target, history bucket and task the arm that is followed, by prequential evidence."""

from __future__ import annotations

import itertools
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.assessment.paired_test import (
    ALPHA,
    COUNT,
    LEAST,
    TOTAL,
    TUNED_FOR,
    PairedTest,
    fold_pair,
    margin_of,
)
from models.kernels import kernel
from models.ranking.conditional_logit import BUCKETS

Arm = Literal["full", "target_only", "text", "popularity"]
Task = Literal["rating", "ranking"]
ARMS: tuple[Arm, ...] = ("full", "target_only", "text", "popularity")
NAMES = ("0", *(f"{a}-{b - 1}" for a, b in itertools.pairwise(BUCKETS)), f"{BUCKETS[-1]}+")
"""Of the history buckets: earlier events of the user in the target."""
EPOCH = 2000
"""Events after which the tests begin anew, so that old merits cannot hide a new fault for long."""


FULL = ARMS.index("full")
Index = NDArray[np.int64]
Floats = NDArray[np.float64]


def buckets(events: Index) -> Index:
    """Return the places in `NAMES` of the buckets of users with so many events (n,) in the target."""
    places: Index = np.searchsorted(BUCKETS, events, side="right")
    return places


def bucket(events: int) -> str:
    """Return the name of the bucket of a user with so many events in the target."""
    return NAMES[int(buckets(np.array([events]))[0])]


class Tests(NamedTuple):
    """The tests of one target and task, by bucket H. followed: (H,) places in `ARMS`. events: (H,) judged so far.

    sums: (H, arms, 4) of each arm's test against the followed one, see `PairedTest`.
    """

    followed: Index
    events: Index
    sums: Floats


@kernel
def follow(tests: Tests, places: Index, losses: Floats, lost: Floats) -> None:
    """Judge events in their order: write what the followed arm lost, (n,), then test the others against it.

    places: (n,) buckets. losses: (n, arms), nan for what an arm did not judge; then `full` stands for it in `lost`.
    """
    followed, sums = tests.followed, tests.sums
    for n in range(len(places)):
        at = places[n]
        own = followed[at]
        lost[n] = losses[n, FULL] if np.isnan(losses[n, own]) else losses[n, own]
        if np.isnan(losses[n, own]):
            continue
        tests.events[at] += 1
        if tests.events[at] % EPOCH == 0:
            sums[at] = 0.0
        best, highest = -1, 0.0
        for arm in range(losses.shape[1]):
            if arm == own or np.isnan(losses[n, arm]):
                continue
            test = sums[at, arm]
            fold_pair(test, losses[n, own], losses[n, arm])
            if test[TOTAL] <= 0:
                continue
            mean = test[TOTAL] / test[COUNT]
            if mean > highest and mean > margin_of(test, ALPHA, TUNED_FOR, LEAST):
                best, highest = arm, mean
        if best >= 0:
            followed[at] = best
            sums[at] = 0.0


class Guard:
    """Follows `full` until another arm is better beyond doubt, and then that one on the same terms.

    Every other arm is tested against the followed one on each event that both have judged. A switch needs the lower end
    of an anytime-valid interval of the paired difference above zero (`PairedTest`, 1 %): an arm that is
    worse by δ on losses of deviation σ is left after O(σ²/δ² log) events, so what is lost by following it is
    O(σ²/δ log) in all; an arm that is as good is left in 1 % of the epochs.
    """

    def __init__(self) -> None:
        self._tests: dict[tuple[str, Task], Tests] = {}

    def _of(self, domain: str, task: Task) -> Tests:
        if (domain, task) not in self._tests:
            count = len(NAMES)
            self._tests[domain, task] = Tests(
                np.full(count, FULL), np.zeros(count, np.int64), np.zeros((count, len(ARMS), 4))
            )
        return self._tests[domain, task]

    def choice(self, domain: str, bucket: str, task: Task) -> Arm:
        """Return the arm to follow now."""
        tests = self._tests.get((domain, task))
        return ARMS[FULL if tests is None else tests.followed[NAMES.index(bucket)]]

    def judge(self, domain: str, task: Task, places: Index, losses: Floats) -> Floats:
        """Return what the followed arm lost at each event of a target, (n,), and let the losses choose.

        places: (n,) of `buckets`. losses: (n, arms), from before the events were learned; nan for none.
        """
        lost = np.empty(len(places))
        follow(self._of(domain, task), places, losses, lost)
        return lost

    def choices(self) -> dict[tuple[str, str, Task], Arm]:
        """Return what is followed, of all that was ever judged."""
        return {
            (domain, NAMES[at], task): ARMS[tests.followed[at]]
            for (domain, task), tests in self._tests.items()
            for at in np.flatnonzero(tests.events)
        }

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {
            "\t".join(key): {
                "followed": arm,
                "events": int(self._tests[key[0], key[2]].events[NAMES.index(key[1])]),
                "tests": self._tests_of(*key),
            }
            for key, arm in self.choices().items()
        }

    def _tests_of(self, domain: str, bucket: str, task: Task) -> dict[str, Any]:
        sums = self._tests[domain, task].sums[NAMES.index(bucket)]
        tests = {}
        for arm, (count, *rest) in zip(ARMS, sums.tolist(), strict=True):
            if count:
                tests[arm] = PairedTest(ALPHA, TUNED_FOR, LEAST, int(count), *rest)
        return {arm: msgspec.to_builtins(test) for arm, test in tests.items()}

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned."""
        self._tests = {}
        for name, held in state.items():
            domain, bucket, task = name.split("\t")
            key: Any = (domain, task)
            tests, at = self._of(*key), NAMES.index(bucket)
            tests.followed[at], tests.events[at] = ARMS.index(held["followed"]), held["events"]
            for arm, test in held["tests"].items():
                tests.sums[at, ARMS.index(arm)] = msgspec.convert(test, PairedTest).sums
