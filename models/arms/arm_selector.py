"""Select the arm that users get, for each target, history bucket and task, by prequential evidence.

This guards against negative transfer: if sources hurt a target, its users get an arm without them.
"""

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
    half_width_of,
)
from models.kernels import kernel
from models.ranking.conditional_logit import BUCKETS
from models.settings import ARMS, Arm

Task = Literal["rating", "ranking"]
NAMES = ("0", *(f"{a}-{b - 1}" for a, b in itertools.pairwise(BUCKETS)), f"{BUCKETS[-1]}+")
"""Names of the history buckets: numbers of earlier events of the user in the target."""
EPOCH = 2000
"""Events after which the tests begin again, so that early events cannot hide a later change for long."""


FULL = ARMS.index("full")
Index = NDArray[np.int64]
Floats = NDArray[np.float64]


def buckets(events: Index) -> Index:
    """Return the places of buckets in `NAMES`, (n,). events: (n,) the users' events in the target."""
    places: Index = np.searchsorted(BUCKETS, events, side="right")
    return places


class Tests(NamedTuple):
    """The tests of one target and task, for H buckets.

    followed: (H,) places in `ARMS`. events: (H,) the number of judged events. sums: (H, arms, 4) the sums of each arm's
    test against the followed arm, see `PairedTest`.
    """

    followed: Index
    events: Index
    sums: Floats


@kernel
def follow(tests: Tests, places: Index, losses: Floats, lost: Floats) -> None:
    """Judge events in their order: write the loss of the followed arm, then test the other arms against it.

    places: (n,) buckets. losses: (n, arms), nan where an arm has no prediction. lost: (n,), written; where the followed
    arm has no prediction it gets the loss of `full`.
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
            if mean > highest and mean > half_width_of(test, ALPHA, TUNED_FOR, LEAST):
                best, highest = arm, mean
        if best >= 0:
            followed[at] = best
            sums[at] = 0.0


class ArmSelector:
    """The selector of arms. It follows `full` until a test finds a better arm, then that arm on the same terms.

    Every other arm is tested against the followed arm on each event that both have judged. A switch needs the lower end
    of an anytime-valid interval of the paired difference above zero (`PairedTest`, 1 %). So an arm that is worse by δ,
    on losses of deviation σ, is left after O(σ²/δ² log) events, and following it costs O(σ²/δ log) in all. An arm that
    is as good as another is left in 1 % of the epochs.

    >>> selector = ArmSelector()
    >>> losses = np.tile([1.0, 0.1, np.nan, np.nan], (300, 1))  # `full` loses 1 an event, `target_only` 0.1
    >>> lost = selector.judge("books", "ranking", buckets(np.zeros(300, np.int64)), losses)
    >>> selector.choice("books", "0", "ranking"), float(lost[0]), float(lost[-1])
    ('target_only', 1.0, 0.1)
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
        """Return the loss of the followed arm at each event of a target, (n,), and update the tests.

        places: (n,) of `buckets`. losses: (n, arms), from before the events were learned; nan for none.
        """
        lost = np.empty(len(places))
        follow(self._of(domain, task), places, losses, lost)
        return lost

    def choices(self) -> dict[tuple[str, str, Task], Arm]:
        """Return the followed arm of every domain, bucket and task with a judged event."""
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
        """Load a state."""
        self._tests = {}
        for name, held in state.items():
            domain, bucket, task = name.split("\t")
            key: Any = (domain, task)
            tests, at = self._of(*key), NAMES.index(bucket)
            tests.followed[at], tests.events[at] = ARMS.index(held["followed"]), held["events"]
            for arm, test in held["tests"].items():
                tests.sums[at, ARMS.index(arm)] = msgspec.convert(test, PairedTest).sums
