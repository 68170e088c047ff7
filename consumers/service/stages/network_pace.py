"""Decide when the network takes a step."""

from __future__ import annotations

import math
from collections.abc import Callable

from consumers.config.schema import IntakeConfig

SOON = 0.25
"""The part of `network_ms` after which a step is due when `least_step` events wait."""


class NetworkPace:
    """Says when a step is due: when many events wait, some time after the last step, or when events are old.

    Small steps follow the stream closely, and large ones cost less an event. So steps grow with the rate of events, and
    a busy stream has four a second.
    """

    def __init__(self, intake: IntakeConfig, clock: Callable[[], float]) -> None:
        """clock: seconds of a steady clock."""
        self._intake, self._clock = intake, clock
        self._seconds = intake.network_ms / 1000
        self._stepped, self._begun = clock(), math.inf

    def due(self, waiting: int) -> bool:
        """Return whether a step is due beside the next batch. waiting: events since the last step."""
        soon = waiting >= self._intake.least_step and self._clock() - self._stepped >= SOON * self._seconds
        return self.overdue(waiting) or soon or waiting >= self._intake.network_events

    def overdue(self, waiting: int) -> bool:
        """Return whether a step is due even if no batch comes. Call it in every turn."""
        if not waiting:
            return False
        now = self._clock()
        self._begun = min(self._begun, now)
        return now - self._begun >= self._seconds

    def stepped(self) -> None:
        """Note that a step was taken."""
        self._stepped, self._begun = self._clock(), math.inf
