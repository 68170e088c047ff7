"""Record the metrics of a service over time in bounded memory, with the notices of its drifts."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from models.adaptation.adaptation_loop import Notice
from serving.metrics import Metrics

MAX_SAMPLES = 720
"""Most samples. With more, every second one is dropped, and new ones are taken half as often."""
MAX_NOTICES = 500
QUANTILE_SAMPLES = 5
"""Samples whose observations make one quantile: a 99 % quantile needs more than a few observations."""

Key = tuple[str, ...]
"""A metric's name without prefix, then its label values."""
Points = list[tuple[float, float]]
"""Seconds since the start, and the value then."""


class Sample(NamedTuple):
    """All values at one moment; `seconds` since the start."""

    seconds: float
    values: dict[Key, float]


class Told(NamedTuple):
    """A notice, and when it was seen. `events`: the domain's events before it."""

    seconds: float
    events: int
    notice: Notice


class MetricHistory:
    """Samples the metrics when `tick` finds it is time. One thread calls everything."""

    def __init__(
        self,
        metrics: Metrics,
        story: deque[tuple[int, Notice]],
        every: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._story = story
        self._every = every
        self._clock = clock
        self._begun = clock()
        self._last: Any = None
        self._watched: list[Any] = [
            metrics.error, metrics.events, metrics.duplicates, metrics.dead_letters, metrics.drift,
            metrics.freshness_seconds, metrics.canary_seconds, metrics.canary_lost, metrics.lag_seconds,
            metrics.publish_backlog,
        ]  # fmt: skip
        self.samples: list[Sample] = []
        self.told: deque[Told] = deque(maxlen=MAX_NOTICES)

    def tick(self, now: bool = False) -> None:
        """Take a sample if it is time, or if `now`."""
        seconds = self._clock() - self._begun
        due = not self.samples or seconds - self.samples[-1].seconds >= self._every
        self._listen(seconds)
        if due or now:
            self.samples.append(Sample(seconds, self._values()))
        if len(self.samples) > MAX_SAMPLES:
            self.samples = self.samples[::2]
            self._every *= 2

    def _values(self) -> dict[Key, float]:
        return {
            (sample.name.removeprefix("crosscurrent_"), *sample.labels.values()): sample.value
            for metric in self._watched
            for family in metric.collect()
            for sample in family.samples
        }

    def _listen(self, seconds: float) -> None:
        new = []
        for entry in reversed(list(self._story)):
            if entry is self._last:
                break
            new.append(entry)
        for entry in reversed(new):
            self.told.append(Told(seconds, *entry))
            self._last = entry

    # For charts and tables

    def latest(self, *key: str) -> float | None:
        """Return the newest value; None if there never was one."""
        return self.samples[-1].values.get(key) if self.samples else None

    def total(self, name: str, *labels: str) -> float:
        """Return the newest sum over all label sets that begin with `labels`."""
        return _sum(self.samples[-1], name, labels) if self.samples else 0.0

    def values(self, *key: str) -> Points:
        return [(s.seconds, s.values[key]) for s in self.samples if key in s.values]

    def rate(self, name: str, *labels: str) -> Points:
        """Return the increase per second between samples."""
        sums = [_sum(sample, name, labels) for sample in self.samples]
        pairs = zip(self.samples, self.samples[1:], sums, sums[1:], strict=False)
        return [
            (b.seconds, (y - x) / (b.seconds - a.seconds)) for a, b, x, y in pairs if b.seconds > a.seconds
        ]

    def quantile(self, share: float, name: str, *labels: str) -> Points:
        """Return a quantile of a histogram's observations within the last few samples, where there are any."""
        points = []
        for n, after in enumerate(self.samples[1:], 1):
            before = self.samples[max(0, n - QUANTILE_SAMPLES)]
            value = _quantile(share, _buckets(after, before, name, labels))
            if value is not None:
                points.append((after.seconds, value))
        return points

    def overall_quantile(self, share: float, name: str, *labels: str) -> float | None:
        """Return a quantile of all observations since the start."""
        if not self.samples:
            return None
        return _quantile(share, _buckets(self.samples[-1], Sample(0.0, {}), name, labels))


def _sum(sample: Sample, name: str, labels: tuple[str, ...]) -> float:
    wanted = (name, *labels)
    return sum(value for key, value in sample.values.items() if key[: len(wanted)] == wanted)


def _buckets(after: Sample, before: Sample, name: str, labels: tuple[str, ...]) -> list[tuple[float, float]]:
    """Return (upper edge, observations up to it), summed over the label sets that begin with `labels`."""
    wanted = (f"{name}_bucket", *labels)
    counts: dict[float, float] = {}
    for key, value in after.values.items():
        if key[: len(wanted)] == wanted:
            edge = float(key[-1])
            counts[edge] = counts.get(edge, 0.0) + value - before.values.get(key, 0.0)
    return sorted(counts.items())


def _quantile(share: float, buckets: list[tuple[float, float]]) -> float | None:
    """Estimate a quantile as Prometheus does: linear within the bucket; in the last one, its lower edge."""
    if not buckets or not buckets[-1][1]:
        return None
    wanted = share * buckets[-1][1]
    low, below = 0.0, 0.0
    for edge, count in buckets:
        if count >= wanted:
            if edge == float("inf"):
                return low
            return low + (edge - low) * (wanted - below) / (count - below) if count > below else edge
        low, below = edge, count
    return low
