"""Decide how long the making of lists may take, so that neither learning nor lists starve."""

from __future__ import annotations

from collections.abc import Callable

from consumers.service.stages.microbatch import LIVE_EVENTS

LATE_SECONDS = 0.1
"""Seconds. A record that is learned this long after it was written has waited behind others."""
MANY_RECORDS = 2 * LIVE_EVENTS
"""Records of a batch from a busy stream: while it was learned, more came than the next batch waits for."""
QUIET_SECONDS = 0.1
"""Seconds without a batch after which a stream is no longer busy."""
SHARE, OVERDUE_SHARE, BACKLOG_SHARE = 0.125, 0.25, 0.03
"""While records wait, lists take at most this part of the time that learning takes. The second is for overdue lists,
the third for a backlog whose records are later than a list may be."""
SLICE_SECONDS, OVERDUE_SLICE_SECONDS = 0.005, 0.015
"""The budget of a round if no records wait: the next one should be learned soon. The second is for overdue lists."""
BACKLOG_SECONDS = 30.0
"""If records are learned late, lists may wait as long as the latest of them, but not longer than this."""
LATE_SHARE, LATE_ROUND_SECONDS = 0.1, 1.0
"""If records are learned late, the next round may come after this share of their age, but not later than this."""


class ListBudget:
    """A budget for each round of publishing. Times are seconds.

    A round makes lists for some milliseconds. While records wait, it makes them for an eighth of the time that
    learning took since the last round, or for a quarter if a list has waited for too long. In a backlog it makes
    few, because they would be old again before anybody looks. Records wait if at least `batch_events` of them are
    in the process, or if the stream is `busy`: then others wait in the log, where they are not counted. Lists are
    made some together, so a round may take longer than its budget. While records wait, the next rounds have that
    much less. They pay for the last quiet round, too.
    """

    def __init__(self, batch_events: int, within: float, clock: Callable[[], float]) -> None:
        """batch_events: of a full micro-batch. within: how long a list may wait."""
        self._batch_events, self._within = batch_events, within
        self._learning = self._age = self._latest = self._left = 0.0
        self._many, self._clock, self._learned_at = False, clock, 0.0

    def learned(self, records: int, seconds: float, age: float) -> None:
        """Note a micro-batch that took `seconds` to learn, and the age of its last record."""
        self._learning += seconds
        self._age = age
        self._latest = max(self._latest, age) if age > self._within else 0.0
        self._many, self._learned_at = records >= MANY_RECORDS, self._clock()

    @property
    def patience(self) -> float:
        """How long a list may wait now.

        A backlog is drained before its lists are made: they would be old again before anybody looks. So they may wait
        as long as the latest of its records, also when the next ones are less late.
        """
        return max(self._within, min(self._latest, BACKLOG_SECONDS))

    def interval(self, usual: float) -> float:
        """Return the time between two rounds, at least `usual`.

        In a backlog it is longer: a user or an item that is touched several times between two rounds is written once.
        """
        return max(usual, min(LATE_SHARE * self._age, LATE_ROUND_SECONDS))

    @property
    def prompt(self) -> bool:
        """Whether records were learned since the last round, and none of them had waited behind others."""
        return self._learning > 0 and not self.late

    @property
    def late(self) -> bool:
        """Whether what was learned since the last round had waited behind other records."""
        return self._learning > 0 and self._age > LATE_SECONDS

    @property
    def busy(self) -> bool:
        """Whether what was learned last was late, or a moment ago so much that more records may wait behind it."""
        return self.late or (self._many and self._clock() - self._learned_at < QUIET_SECONDS)

    def take(self, waiting: int, overdue: bool) -> float:
        """Return the budget of this round, and begin the next. Without a budget no list is made.

        waiting: records in the process, not learned yet. overdue: whether a list has waited for too long.
        """
        wait = self.busy or waiting >= self._batch_events
        learning, self._learning = self._learning, 0.0
        if not wait:
            self._left = 0.0
            return OVERDUE_SLICE_SECONDS if overdue else SLICE_SECONDS
        share = OVERDUE_SHARE if overdue else BACKLOG_SHARE if self._age > self._within else SHARE
        self._left = min(self._left, 0.0) + share * learning
        return self._left

    def took(self, seconds: float) -> None:
        """Note how long the lists of this round took."""
        self._left -= seconds
