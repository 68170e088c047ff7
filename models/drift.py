"""Change detection on prequential error: ADWIN per domain and metric (Bifet and Gavaldà, 2007)."""

from __future__ import annotations

import pickle
from typing import Any

from river.drift import ADWIN

DELTA = 1e-5
"""ADWIN's bound on a false cut at one check; small, since every domain is checked for as long as it lives."""


class DriftDetectors:
    """`update` says whether this error ends the old regime. River resets ADWIN at its next update, so the
    counts are kept here."""

    def __init__(self) -> None:
        self._detectors: dict[tuple[str, str], Any] = {}
        self.count: dict[tuple[str, str], int] = {}
        self.score: dict[tuple[str, str], float] = {}

    def update(self, domain: str, metric: str, error: float) -> bool:
        """One error; True when the detector cuts its window here. `score` is the shift against the old mean."""
        key = (domain, metric)
        detector = self._detectors.get(key)
        if detector is None:
            detector = self._detectors[key] = ADWIN(delta=DELTA)
            self.count[key], self.score[key] = 0, 0.0
        before = float(detector.estimation)
        detector.update(error)
        if not detector.drift_detected:
            return False
        self.count[key] += 1
        self.score[key] = abs(float(detector.estimation) - before)
        return True

    def state(self) -> dict[str, Any]:
        return {
            "\t".join(key): [pickle.dumps(detector), self.count[key], self.score[key]]
            for key, detector in self._detectors.items()
        }

    def load(self, state: dict[str, Any]) -> None:
        self._detectors, self.count, self.score = {}, {}, {}
        for name, (pickled, count, score) in state.items():
            domain, metric = name.split("\t")
            key = (domain, metric)
            # Safe: models/checkpoint.py hands out bytes only after their checksum matched the manifest.
            self._detectors[key] = pickle.loads(pickled)  # noqa: S301
            self.count[key], self.score[key] = count, score
