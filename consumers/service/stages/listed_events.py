"""Count how often the item of an event was on the list that its user had in the store."""

from __future__ import annotations

from collections import Counter

from models.arms.hits import TOPS
from models.learning.learner import Learner
from models.schema import Interaction
from serving.metrics import Metrics
from serving.publication.list_index import ListIndex


class ListedEvents:
    """Counts by the policy that made the list. One thread calls it. It counts nothing until there is an impression."""

    def __init__(self, learner: Learner, index: ListIndex, metrics: Metrics) -> None:
        """index: what was published to each user row."""
        self._learner, self._index, self._metrics = learner, index, metrics
        self._counts = Counter[tuple[str, str, int]]()
        """By domain, policy and k, 0 for all events, since they were last added to the metrics."""

    def count(self, event: Interaction) -> None:
        """Count an event that is about to be learned. A skip, or an event of a user without a list, is left out."""
        learner = self._learner
        if learner.impressions.lists.empty or event.kind == "skip":
            return
        user = learner.users.get(event.user)
        item = learner.item_row(event.domain, event.item)
        place = None if user is None else self._index.place(event.domain, user, -1 if item is None else item)
        if place is None:
            return
        policy = learner.experiments.policy(event.user, event.domain, event.timestamp)
        self._counts[event.domain, policy, 0] += 1
        for top in TOPS:
            self._counts[event.domain, policy, top] += 0 <= place < top

    def tell(self) -> None:
        """Add the counts since the last call to the metrics."""
        for (domain, policy, top), count in self._counts.items():
            if top:
                self._metrics.list_hits.labels(domain, policy, top).inc(count)
            else:
                self._metrics.listed_events.labels(domain, policy).inc(count)
        self._counts.clear()
