"""Take impressions in, find the one that each click answers, and count both."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from consumers.events.rejection import ITEMS_LIMIT
from models.learning.learner import Learner
from models.schema import Impression, Interaction
from serving.metrics import Metrics

ALONE = 20
"""The first places, which are counted each by itself."""
POSITIONS = (*(str(n) for n in range(1, ALONE + 1)), "21-50", f"51-{ITEMS_LIMIT}")
"""The places that are counted together, as a label names them."""
_GROUP = np.array([min(n, ALONE) + (n >= 50) for n in range(ITEMS_LIMIT)])
"""The number of the label of each place."""


class ShownStage:
    """Knows what users were shown. One thread calls it. Without any impression it does nothing.

    A click is matched when it comes, in the order of the log. An impression that comes after its click is kept for
    later clicks, and does not change what was counted.
    """

    def __init__(self, learner: Learner, metrics: Metrics) -> None:
        self._learner, self._metrics = learner, metrics
        self._shows = defaultdict[str, NDArray[np.int64]](lambda: np.zeros(len(POSITIONS), np.int64))
        """Items shown by domain and label, since they were last added to the metrics."""

    def take(self, shown: Impression) -> None:
        """Take an impression in that is not a duplicate."""
        learner = self._learner
        taken = learner.impressions.take(shown, learner.catalogues[learner.index[shown.domain]])
        self._metrics.impressions.labels(shown.domain, taken).inc()
        if taken != "late":
            self._shows[shown.domain] += np.bincount(_GROUP[: len(shown.items)], minlength=len(POSITIONS))

    def duplicate(self, shown: Impression) -> None:
        """Count an impression that came before."""
        self._metrics.impressions.labels(shown.domain, "duplicate").inc()

    def answer(self, event: Interaction) -> None:
        """Find what an event answers that is about to be learned. A skip answers nothing."""
        if event.kind == "skip":
            return
        answer = self._learner.impressions.answer(event)
        if answer is None:
            return
        metrics, domain = self._metrics, event.domain
        metrics.impression_clicks.labels(domain, answer.outcome).inc()
        if answer.outcome == "answered":
            metrics.position_clicks.labels(domain, POSITIONS[_GROUP[answer.place]]).inc()
            if not answer.clicks:
                metrics.impressions_clicked.labels(domain).inc()
            if answer.above:
                metrics.clicks_below.labels(domain).inc()

    def tell(self) -> None:
        """Let what was shown since the last call be learned, and add it to the metrics."""
        self._learner.shown.learn()
        for domain, shows in self._shows.items():
            for label in np.flatnonzero(shows).tolist():
                self._metrics.position_shows.labels(domain, POSITIONS[label]).inc(int(shows[label]))
        self._shows.clear()
