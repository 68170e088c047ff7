"""Take impressions in, find the one that each click answers, and count both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from models.learning.impressions import Outcome, Taken
from models.learning.learner import Learner
from models.schema import Impression, Interaction
from serving.metrics import Metrics

ALONE = 20
"""The first places, which are counted each by itself."""
POSITIONS = (*(str(n) for n in range(1, ALONE + 1)), "21-50", "51-200")
"""The places that are counted together, as a label names them."""
_GROUP = np.array([min(n, ALONE) + (n >= 50) for n in range(200)])
"""(200,): the number of the label of each place."""


class ShownStage:
    """Knows what users were shown. One thread calls it. Without any impression it does nothing.

    A click is matched when it comes, in the order of the log. An impression that comes after its click is kept for
    later clicks, and does not change what was counted.
    """

    def __init__(self, learner: Learner, metrics: Metrics, domains: Iterable[str]) -> None:
        self._learner, self._metrics = learner, metrics
        self._shows = {domain: np.zeros(len(POSITIONS), np.int64) for domain in domains}
        """Items shown by label, since they were last added to the metrics."""
        self._untold = False
        self.active = False
        """Whether anybody has an impression that a click may answer."""
        for domain in self._shows:
            self._from_zero(domain)

    def begin(self) -> None:
        """Begin a micro-batch."""
        self.active = not self._learner.impressions.lists.empty

    def _from_zero(self, domain: str) -> None:
        """Create all counters with value 0: Prometheus sees no increase when a counter first appears with 1."""
        metrics = self._metrics
        for taken in (*get_args(Taken), "duplicate"):
            metrics.impressions.labels(domain, taken)
        for outcome in get_args(Outcome):
            metrics.impression_clicks.labels(domain, outcome)
        for position in POSITIONS:
            metrics.position_shows.labels(domain, position)
            metrics.position_clicks.labels(domain, position)
        metrics.impressions_clicked.labels(domain)
        metrics.clicks_below.labels(domain)

    def take(self, shown: Impression) -> None:
        """Take an impression in that is not a duplicate."""
        learner = self._learner
        taken = learner.impressions.take(shown, learner.catalogues[learner.index[shown.domain]])
        self._metrics.impressions.labels(shown.domain, taken).inc()
        if taken != "late":
            self._shows[shown.domain] += _by_label(len(shown.items))
            self._untold = self.active = True

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
        """Add the items shown since the last call to the metrics."""
        if not self._untold:
            return
        self._untold = False
        for domain, shows in self._shows.items():
            for label in np.flatnonzero(shows).tolist():
                self._metrics.position_shows.labels(domain, POSITIONS[label]).inc(int(shows[label]))
            shows[:] = 0


def _by_label(items: int) -> NDArray[np.int64]:
    """Return how many of so many shown items each label has."""
    return np.bincount(_GROUP[:items], minlength=len(POSITIONS))
