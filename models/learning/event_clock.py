"""Keep a clock for each domain: the newest event time, protected against single events with a wrong time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP = 7 * 86400.0
"""The most seconds by which one event alone may move its domain's clock."""
AGREE = 5
"""The number of events in a row beyond `STEP` that move the clock together."""
MANY = 32
"""Events from which on arrays are faster than a loop."""


class EventClock:
    """The newest event time of each domain, in seconds since the epoch; 0 before the first event. Decay counts from it.

    A late event does not move the clock. An event at most `STEP` ahead moves it to its own time. An event further ahead
    does not move it, because its time may be wrong. Once `AGREE` events in a row are ahead of the clock, it moves to
    the earliest of them. The first event of a domain is compared with the clocks of other domains. Until a domain has
    `AGREE` events, an event more than `STEP` before its clock takes the clock back.

    >>> clock = EventClock(domains=1)
    >>> [clock.move(0, day * 86400.0) / 86400.0 for day in (1, 1, 1, 1, 1, 2, 99, 3)]  # day 99 is a wrong time
    [1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 3.0]
    """

    def __init__(self, domains: int) -> None:
        self.newest = [0.0] * domains
        self._latest: list[deque[float]] = [deque(maxlen=AGREE) for _ in range(domains)]
        """The times of each domain's last events, in the order in which they came."""

    def at(self, domain: int, time: float) -> float:
        """Return what the clock would show after an event of this time, and change nothing. Times are seconds."""
        newest, latest = self.newest[domain], self._latest[domain]
        if len(latest) < AGREE:
            return self._at_start(newest, latest, time)
        if time <= newest + STEP:
            return max(newest, time)
        agreed = min(*list(latest)[1:], time)
        return max(newest, agreed)

    def _at_start(self, newest: float, latest: deque[float], time: float) -> float:
        if not latest:
            others = [
                other
                for other, seen in zip(self.newest, self._latest, strict=True)
                if len(seen) == AGREE  # a clock with fewer events may itself be wrong
            ]
            return min(time, max(others)) if others and time > max(others) + STEP else time
        if time < newest - STEP:
            return time
        return max(newest, time) if time <= newest + STEP else newest

    def move(self, domain: int, time: float) -> float:
        """Count one event of this time. Return what the clock then shows, which is the time for learning the event."""
        newest, latest = self.newest[domain], self._latest[domain]
        if len(latest) == AGREE and newest <= time <= newest + STEP:  # the usual case
            self.newest[domain] = time
            latest.append(time)
            return time
        self.newest[domain] = now = self.at(domain, time)
        if not latest and now < time:  # taken from other domains' clocks, and as certain as they are
            latest.extend([now] * AGREE)
        latest.append(time)
        return now

    def move_all(
        self, domains: NDArray[np.int64], times: NDArray[np.float64], set_back: Callable[[], None]
    ) -> NDArray[np.float64]:
        """Count events (seconds) in their order, and return the times for learning them, (B,).

        set_back: is called when an event has taken its domain's clock back.
        """
        together = self._moved_together(domains, times) if len(times) >= MANY else None
        if together is not None:
            return together
        shown, order = list[float](), domains.tolist()
        for domain, time in zip(order, times.tolist(), strict=True):
            before = self.newest[domain]
            shown.append(self.move(domain, time))
            if shown[-1] < before:
                set_back()
                shown = [min(was, self.newest[of]) for was, of in zip(shown, order, strict=False)]
        return np.array(shown)

    def _moved_together(
        self, domains: NDArray[np.int64], times: NDArray[np.float64]
    ) -> NDArray[np.float64] | None:
        """Do what `move_all` does, if no clock is new and no event is more than `STEP` ahead; else do nothing."""
        shown, after = times.copy(), {}
        for domain in np.unique(domains).tolist():
            here = domains == domain
            if len(self._latest[domain]) < AGREE:
                return None
            after[domain] = times[here]
            clock = np.maximum.accumulate(np.append(self.newest[domain], after[domain]))
            if (after[domain] > clock[:-1] + STEP).any():
                return None
            shown[here] = clock[1:]
        for domain, of in after.items():
            self.newest[domain] = max(self.newest[domain], float(of.max()))
            self._latest[domain].extend(of[-AGREE:].tolist())
        return shown

    def end_future(self, now: float) -> bool:
        """Set every clock that shows more than `now` (seconds) to `now`. Return whether there was one."""
        wrong = [domain for domain, newest in enumerate(self.newest) if newest > now]
        for domain in wrong:
            self.newest[domain] = now
        self._latest = [deque((min(time, now) for time in latest), AGREE) for latest in self._latest]
        return bool(wrong)

    def copy(self) -> EventClock:
        """Return an independent copy."""
        other = EventClock(len(self.newest))
        other.load(self.state())
        return other

    def state(self) -> dict[str, Any]:
        """Return what `load` takes."""
        return {"newest": list(self.newest), "latest": [list(latest) for latest in self._latest]}

    def load(self, state: dict[str, Any]) -> None:
        """Load a state. A state of an earlier version has no `latest`: its clocks count as certain."""
        self.newest = list(state["newest"])
        latest = state.get("latest") or [[time] * AGREE if time else [] for time in self.newest]
        self._latest = [deque(times, AGREE) for times in latest]
