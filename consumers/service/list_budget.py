"""How long the making of lists may take, so that it never starves learning."""

from __future__ import annotations

LATE_SECONDS = 0.1
"""A record that is learned this long after it was written has waited behind others."""


class ListBudget:
    """A budget for each round of publishing. Times are seconds.

    Lists may take as long as learning did since the last round. While records wait, they may take only `share` of
    that. Records wait if at least `batch_events` of them are in the process, or if those that were learned last were
    already late: then others wait in the log, where nobody counts them.
    """

    def __init__(self, interval: float, share: float, batch_events: int) -> None:
        """interval: between two rounds; the least budget while nothing waits."""
        self._interval, self._share, self._batch_events = interval, share, batch_events
        self._learning = self._age = 0.0

    def learned(self, seconds: float, age: float) -> None:
        """Note a micro-batch that took `seconds` to learn, and the age of its last record."""
        self._learning += seconds
        self._age = age

    def take(self, waiting: int) -> float:
        """Return the budget of this round, and begin the next. waiting: records in the process, not learned yet."""
        learning, self._learning = self._learning, 0.0
        late = learning > 0 and self._age > LATE_SECONDS
        if late or waiting >= self._batch_events:
            return self._share * learning
        return max(self._interval, learning)
