"""Take impressions in, find the one that each click answers, and count both."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
from numpy.typing import NDArray

from consumers.events.rejection import ITEMS_LIMIT
from models.assessment.concentration import RecentShows
from models.experiments.experiment import DEFAULT
from models.experiments.totals import CountedImpression
from models.learning.impressions import TOP, Answer, Outcome
from models.learning.learner import Learner
from models.schema import Impression, Interaction
from models.sharing.shared_facts import Place
from serving.metrics import Metrics

ALONE = 20
"""The first places, which are counted each by itself."""
POSITIONS = (*(str(n) for n in range(1, ALONE + 1)), "21-50", f"51-{ITEMS_LIMIT}")
"""The places that are counted together, as a label names them."""
_GROUP = np.array([min(n, ALONE) + (n >= 50) for n in range(ITEMS_LIMIT)])
"""The number of the label of each place."""

MEASURED = 10_000
"""Items shown between two measurements of their concentration. One takes a few ms."""


class ShownStage:
    """Knows what users were shown. One thread calls it. Without any impression it does nothing.

    A click is matched when it comes, in the order of the log. An impression that comes after its click is kept for
    later clicks, and does not change what was counted.
    """

    def __init__(self, learner: Learner, metrics: Metrics) -> None:
        self._learner, self._metrics = learner, metrics
        self._counters = {
            "drawn": metrics.drawn_places, "explored": metrics.explored_places, "new": metrics.new_item_shows,
        }  # fmt: skip
        self._recent = defaultdict[str, RecentShows](RecentShows)
        self._since = Counter[str]()
        """Items shown by domain since their concentration was last measured."""
        self._shows = defaultdict[str, NDArray[np.int64]](lambda: np.zeros(len(POSITIONS), np.int64))
        """Items shown by domain and label, since they were last added to the metrics."""

    def take(self, shown: Impression, place: Place) -> None:
        """Take an impression in that is not a duplicate. place: where it was read."""
        learner = self._learner
        taken = learner.impressions.take(shown, learner.catalogues[learner.index[shown.domain]], place)
        self._metrics.impressions.labels(shown.domain, taken).inc()
        if taken != "late":
            row = learner.users.get(shown.user)
            assert row is not None
            items = next(learner.impressions.lists.of(row)).items
            seen = CountedImpression(shown.user, row, shown.domain, shown.timestamp, shown.list_ts or 0)
            policy = learner.experiments.shown(seen, items)
            self._metrics.policy_impressions.labels(shown.domain, policy).inc()
            self._recent[shown.domain].add(items, shown.timestamp / 1000)
            self._since[shown.domain] += len(items)
            self._shows[shown.domain] += np.bincount(_GROUP[: len(shown.items)], minlength=len(POSITIONS))

    def _count_click(self, event: Interaction, answer: Answer) -> str:
        """Count an item that was answered where its domain is in an experiment. Return the impression's policy."""
        learner = self._learner
        row = learner.users.get(event.user)
        if row is None or event.domain not in learner.experiments.domains:
            return DEFAULT
        seen = CountedImpression(event.user, row, event.domain, answer.time, answer.list_ts)
        return learner.experiments.clicked(seen, answer.clicks, answer.place < TOP and not answer.on_top)

    def duplicate(self, shown: Impression) -> None:
        """Count an impression that came before."""
        self._metrics.impressions.labels(shown.domain, "duplicate").inc()

    def answer(self, event: Interaction, place: Place) -> Outcome | None:
        """Find what an event answers that is about to be learned; return how that went. A skip answers nothing.

        place: where the event was read.
        """
        if event.kind == "skip":
            return None
        answer = self._learner.impressions.answer(event, place)
        if answer is None:
            return None
        metrics, domain = self._metrics, event.domain
        metrics.impression_clicks.labels(domain, answer.outcome).inc()
        if answer.outcome == "answered":
            metrics.position_clicks.labels(domain, POSITIONS[_GROUP[answer.place]]).inc()
            metrics.policy_clicks.labels(domain, self._count_click(event, answer)).inc()
            if not answer.clicks:
                metrics.impressions_clicked.labels(domain).inc()
            if answer.above:
                metrics.clicks_below.labels(domain).inc()
        return answer.outcome

    def tell(self) -> None:
        """Let what was shown since the last call be learned, and add it to the metrics."""
        shown, metrics = self._learner.shown, self._metrics
        shown.learn()
        for (number, counted), count in shown.counts.items():
            self._counters[counted].labels(self._learner.domains[number].name).inc(count)
        shown.counts.clear()
        for domain, shows in self._shows.items():
            for label in np.flatnonzero(shows).tolist():
                metrics.position_shows.labels(domain, POSITIONS[label]).inc(int(shows[label]))
        self._shows.clear()
        for domain, count in self._since.items():
            if count >= MEASURED:
                self._measure(domain)

    def _measure(self, domain: str) -> None:
        """Measure how unevenly items are shown."""
        catalogue = self._learner.catalogues[self._learner.index[domain]]
        found = self._recent[domain].gini(len(catalogue.ids))
        if found is not None:
            self._metrics.shown_gini.labels(domain).set(found)
        self._since[domain] = 0
