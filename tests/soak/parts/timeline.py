"""Watch whether a running service is ready, and how fresh its events are."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import NamedTuple

from tests.support.service.running import Running

FRESH_SECONDS, FRESH_SHARE = 1.0, 0.99
EVERY_SECONDS = 0.5


def freshness(service: Running) -> tuple[float, float]:
    """Return the events readable within `FRESH_SECONDS`, and all events, as the histogram counts them."""
    name = "crosscurrent_freshness_seconds"
    within = total = 0.0
    for line in service.get("/metrics")[1].splitlines():
        if line.startswith(f"{name}_bucket") and f'le="{FRESH_SECONDS}"' in line:
            within += float(line.rsplit(" ", 1)[1])
        elif line.startswith(f"{name}_count"):
            total += float(line.rsplit(" ", 1)[1])
    return within, total


class Sample(NamedTuple):
    """The state that a service reported at a time (monotonic seconds)."""

    at: float
    status: int
    why: str
    within: float
    """Events so far that were fresh."""
    total: float


class Timeline(threading.Thread):
    """Takes samples until `end`."""

    def __init__(self, service: Running) -> None:
        super().__init__(name="timeline", daemon=True)
        self.samples: list[Sample] = []
        self._service = service
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            status, why = self._service.get("/readyz")
            self.samples.append(Sample(time.monotonic(), status, why.strip(), *freshness(self._service)))

    def end(self) -> None:
        self._ended.set()
        if self.is_alive():
            self.join()

    def since(self, begin: float) -> list[Sample]:
        return [sample for sample in list(self.samples) if sample.at >= begin]

    def unready(self, begin: float) -> list[Sample]:
        """Return the samples since `begin` in which the service was not ready."""
        return [sample for sample in self.since(begin) if sample.status != 200]

    def stale_until(self, begin: float) -> float:
        """Return when the last interval ended in which events were not fresh, or none came; `begin` if all were."""
        ends = [
            after.at
            for before, after in pairwise(self.since(begin))
            if after.within - before.within < FRESH_SHARE * (after.total - before.total)
            or after.total == before.total
        ]
        return max(ends, default=begin)
