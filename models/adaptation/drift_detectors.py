"""Detect changes, by domain, in what is measured before an event is learned.

ADWIN: Bifet and Gavaldà (2007). Page-Hinkley: Page (1954), "Continuous inspection schemes".
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from river.drift import ADWIN, PageHinkley

from models.adaptation.detector_pickle import dumped, loaded

Detector = Literal["bias", "rating_error", "ranking_error", "popularity", "divergence"]
"""What is watched. bias: signed rating errors, in units of a quarter of the range. rating_error: their squares.
ranking_error: 1 - NDCG@10. popularity: -log of the item's share of all events. divergence: of a target from its
sources."""
DELTA = 1e-6
"""ADWIN's bound on a false cut at one check. It is small, because every domain is checked for ever."""
MIN_SHIFT: dict[str, float] = {
    "rating_error": 0.25,
    "ranking_error": 0.05,
    "popularity": 0.2,
    "divergence": 0.25,
}
"""The smallest shift that leads to an action: in a long stream any change becomes significant."""
TOLERANCE, THRESHOLD = 0.25, 30.0
"""Page-Hinkley, in standard deviations of the errors. There is a false alarm every exp(2 · 0.25 · 30) / (2 · 0.25²) =
26 million independent events. A shift by one deviation is seen after 30 / (1 - 0.25) = 40 events."""
WARM_UP = 300
"""Values ignored at the start of a domain: they change because of learning, not of drift."""
COOLDOWN = 500
"""Values ignored after an alarm."""
CLOCK, GRACE = 8, 16
"""Values between ADWIN's checks, and before the first: a shift should be seen within a few dozen events."""
CONFIRM_WINDOW = 256
"""Values after ADWIN's cut whose mean gives the size of the shift. River starts a new window there."""
EWMA_DECAY = 0.95
"""Share of its weight that the mean of the latest values keeps at each new value."""


class Watch:
    """One detector of River, and the mean of all values since it began.

    Page-Hinkley watches the bias: the learner is fast and would correct half of a shift before ADWIN cuts.

    Errors of ±1 shift by 2 after 600 values. Page-Hinkley needs 30 / (2 - 0.25) = 17 of them, or one or two more:

    >>> errors = np.tile([1.0, -1.0], 400)
    >>> errors[600:] += 2.0
    >>> Watch("bias").update(errors)
    [618]

    Squared errors rise from 0 to 1. ADWIN cuts after a few values, and the alarm comes `CONFIRM_WINDOW` values later:

    >>> alarms = Watch("rating_error").update(np.repeat([0.0, 1.0], 600))
    >>> len(alarms), 600 + CONFIRM_WINDOW < alarms[0] < 600 + CONFIRM_WINDOW + 64
    (1, True)
    """

    def __init__(self, detector: Detector) -> None:
        self.kind: Detector = detector
        self.quiet, self.look = WARM_UP, 0
        self.count, self.score = 0, 0.0
        self.number, self.total, self.squares, self.lately = 0, 0.0, 0.0, 0.0
        self.inner: Any = self._new()

    def _new(self) -> Any:
        if self.kind == "bias":
            return PageHinkley(min_instances=1, delta=TOLERANCE, threshold=THRESHOLD, alpha=1.0)
        return ADWIN(delta=DELTA, clock=CLOCK, grace_period=GRACE)

    def update(self, values: NDArray[np.float64]) -> list[int]:
        """Add values, (n,), in their order, nan for none; return the places of alarms.

        An alarm: the detector fired, and what came after lies far enough from before. Only the bias drifts both ways:
        an error that falls is learning.
        """
        taken = [(n, value) for n, value in enumerate(values.tolist()) if value == value]  # noqa: PLR0124  nan
        return self._bias_drifted(taken) if self.kind == "bias" else self._error_rose(taken)

    def _error_rose(self, values: list[tuple[int, float]]) -> list[int]:
        alarms, inner = [], self.inner
        for n, value in values:
            inner.update(value)
            if self.quiet or self.look:
                if self._waited():
                    alarms.append(n)
                continue
            self._measure(value)
            if inner.drift_detected:
                self.look = CONFIRM_WINDOW
        return alarms

    def _waited(self) -> bool:
        """Wait one value longer after an alarm or a cut; return whether the wait ends with an alarm."""
        if self.quiet:
            self.quiet -= 1
            return False
        self.look -= 1
        return not self.look and self._alarm(float(self.inner.estimation) - self.mean)

    def _bias_drifted(self, values: list[tuple[int, float]]) -> list[int]:
        alarms, inner = [], self.inner
        for n, value in values:
            if not self.quiet:
                deviation = max(self.squares / max(self.number, 1) - self.mean**2, 1e-12) ** 0.5
                inner.update(value / deviation)
            self._measure(value)
            if self.quiet:
                self.quiet -= 1
            elif inner.drift_detected and self._alarm(self.lately - self.mean):
                alarms.append(n)
        return alarms

    def _alarm(self, shift: float) -> bool:
        if self.kind != "bias" and shift < MIN_SHIFT[self.kind]:
            return False
        self.quiet, self.number, self.total, self.squares = COOLDOWN, 0, 0.0, 0.0
        self.count, self.score = self.count + 1, shift
        return True

    @property
    def mean(self) -> float:
        """Return the mean of all values; 0 before the first."""
        return self.total / self.number if self.number else 0.0

    def _measure(self, value: float) -> None:
        self.number += 1
        self.total += value
        self.squares += value * value
        self.lately += (1 - EWMA_DECAY) * (value - self.lately)

    def state(self) -> list[Any]:
        """Return what `load` takes."""
        numbers = [
            self.quiet,
            self.look,
            self.count,
            self.score,
            self.number,
            self.total,
            self.squares,
            self.lately,
        ]
        return [dumped(self.inner), *numbers]

    def load(self, state: list[Any]) -> bool:
        """Load a state. Return whether River's detector could be read; if not, it begins again and warms up.

        It may fail after an upgrade: River's pickle is the only part of a state that depends on a library's version.
        """
        self.quiet, self.look, self.count, self.score, *means = state[1:]
        self.number, self.total, self.squares, self.lately = means
        try:
            self.inner = _usable(state[0])
        except Exception:  # bytes of another version may lead to any error
            self.inner, self.quiet, self.look = self._new(), WARM_UP, 0
            self.number, self.total, self.squares = 0, 0.0, 0.0
            return False
        return True


def _usable(pickled: bytes) -> Any:
    """Return River's detector after a try on a copy: one that reads without an error may still lack a field."""
    tried, inner = loaded(pickled), loaded(pickled)
    for value in (0.0, 1.0) * CLOCK:
        tried.update(value)
    float(getattr(tried, "estimation", tried.drift_detected))
    return inner


class DriftDetectors:
    """One `Watch` for every domain and detector."""

    def __init__(self) -> None:
        self.watches: dict[tuple[str, Detector], Watch] = {}
        self.notes: list[str] = []
        """What the last `load` could not read, a sentence each."""

    def update(self, domain: str, detector: Detector, values: NDArray[np.float64]) -> list[int]:
        """Add values, (n,), in their order, nan for none; return the places of alarms."""
        watch = self.watches.get((domain, detector))
        if watch is None:
            watch = self.watches[domain, detector] = Watch(detector)
        return watch.update(values)

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {"\t".join(key): watch.state() for key, watch in self.watches.items()}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.watches, self.notes = {}, []
        for name, held in state.items():
            domain, detector = name.split("\t")
            key: Any = (domain, detector)
            self.watches[key] = Watch(key[1])
            if not self.watches[key].load(held):
                self.notes.append(
                    f"{domain}: the drift detector {detector} could not be read with this version of River and begins "
                    "again"
                )
