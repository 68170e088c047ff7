"""Make the metrics of a process: each with the prefix `crosscurrent_`, in one registry."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Instruments:
    """A registry, and how metrics are made in it. Subclasses define which."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"crosscurrent_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"crosscurrent_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"crosscurrent_{name}", text, labels, registry=self.registry, buckets=buckets)
