"""The clock of each domain: the newest event time seen, so that one wrong time cannot stop it for good."""

from __future__ import annotations

from collections import deque
from typing import Any

STEP = 7 * 86400.0
"""How far ahead one event alone may move its domain's clock, seconds."""
AGREE = 5
"""So many events in a row that lie beyond `STEP` move it on."""


class EventClock:
    """Per domain the newest event time, seconds since the epoch: what decay counts from. 0 before the first event.

    Late events leave it where it is. An event at most `STEP` ahead moves it to its own time. One further ahead does
    not move it, for its time may be wrong; once `AGREE` events in a row are ahead of it, it goes to the earliest of
    them. The first few events have no clock to be compared with: one of a domain that comes later than the clocks of
    other domains is compared with those, and until `AGREE` events were seen, one that lies more than `STEP` before the
    clock takes it back.
    """

    def __init__(self, domains: int) -> None:
        self.newest = [0.0] * domains
        self._latest: list[deque[float]] = [deque(maxlen=AGREE) for _ in range(domains)]
        """Per domain the times of its last events, in the order they came."""

    def at(self, domain: int, time: float) -> float:
        """What the clock will show once an event of this time has come. Changes nothing."""
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
                if len(seen) == AGREE  # a clock that is not sure itself is no measure
            ]
            return min(time, max(others)) if others and time > max(others) + STEP else time
        if time < newest - STEP:
            return time
        return max(newest, time) if time <= newest + STEP else newest

    def move(self, domain: int, time: float) -> float:
        """Counts one event; gives what the clock shows then: the time that the event is learned with."""
        newest, latest = self.newest[domain], self._latest[domain]
        if len(latest) == AGREE and newest <= time <= newest + STEP:  # as nearly always
            self.newest[domain] = time
            latest.append(time)
            return time
        self.newest[domain] = now = self.at(domain, time)
        if not latest and now < time:  # compared with other domains: as sure as they are
            latest.extend([now] * AGREE)
        latest.append(time)
        return now

    def end_future(self, now: float) -> bool:
        """No clock shows more than `now` from here on. True if one did."""
        wrong = [domain for domain, newest in enumerate(self.newest) if newest > now]
        for domain in wrong:
            self.newest[domain] = now
        self._latest = [deque((min(time, now) for time in latest), AGREE) for latest in self._latest]
        return bool(wrong)

    def copy(self) -> EventClock:
        """One that goes on from here by itself."""
        other = EventClock(len(self.newest))
        other.load(self.state())
        return other

    def state(self) -> dict[str, Any]:
        return {"newest": list(self.newest), "latest": [list(latest) for latest in self._latest]}

    def load(self, state: dict[str, Any]) -> None:
        """Takes states from before `latest` was kept too: a clock in them is sure of itself."""
        self.newest = list(state["newest"])
        latest = state.get("latest") or [[time] * AGREE if time else [] for time in self.newest]
        self._latest = [deque(times, AGREE) for times in latest]
