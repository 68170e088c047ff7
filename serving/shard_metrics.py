"""Define the metrics that a process exports when it is one of several shards."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from serving.instruments import Instruments

FACT_BUCKETS = (5e-6, 1e-5, 1.5e-5, 2e-5, 3e-5, 5e-5, 1e-4, 3e-4, 1e-3)


class ShardMetrics(Instruments):
    """Metrics of a shard. One process alone has none of them."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        self.info = self._gauge("shard_info", "1, with the shard's place.", "index", "count", "epoch")
        self.count = self._gauge("shards", "Shards that there are, as this process's config says.")
        self.facts = self._counter(
            "facts", "Facts of learned events: sent to other shards, or folded here.", "direction"
        )
        self.lag_records = self._gauge("facts_lag_records", "Records of facts that are not folded yet.")
        self.lag_seconds = self._gauge(
            "facts_lag_seconds", "Age of the newest event that was folded from facts."
        )
        self.dropped = self._counter("facts_dropped", "Facts that were read once more, and dropped.")
        self.foreign_event_seconds = self._histogram(
            "foreign_event_seconds", "CPU of an event that another shard has learned.", FACT_BUCKETS
        )
        self.network_age = self._gauge(
            "network_age_seconds", "Seconds since the weights of the network in use were published."
        )
        self.weights = self._counter(
            "weights_bytes",
            "Bytes of published weights: sent by the network, or taken in by a shard.",
            "direction",
        )
        self.rerouted = self._counter("rerouted", "Events sent on to the partition of their key.")
        for direction in ("sent", "folded"):
            self.facts.labels(direction)
        for direction in ("sent", "taken"):
            self.weights.labels(direction)
