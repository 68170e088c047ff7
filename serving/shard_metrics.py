"""Define the metrics that a process exports when it is one of several shards."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

FACT_BUCKETS = (5e-6, 1e-5, 1.5e-5, 2e-5, 3e-5, 5e-5, 1e-4, 3e-4, 1e-3)


class ShardMetrics:
    """Metrics of a shard, with the prefix `crosscurrent_`. One process alone has none of them."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        place = ("index", "count", "epoch")
        self.info = Gauge("crosscurrent_shard_info", "1, with the shard's place.", place, registry=registry)
        self.count = Gauge(
            "crosscurrent_shards", "Shards that there are, as this process's config says.", registry=registry
        )
        self.facts = Counter(
            "crosscurrent_facts",
            "Facts of learned events: sent to other shards, or folded here.",
            ("direction",),
            registry=registry,
        )
        self.lag_records = Gauge(
            "crosscurrent_facts_lag_records", "Records of facts that are not folded yet.", registry=registry
        )
        self.lag_seconds = Gauge(
            "crosscurrent_facts_lag_seconds",
            "Age of the newest event that was folded from facts.",
            registry=registry,
        )
        self.dropped = Counter(
            "crosscurrent_facts_dropped", "Facts that were read once more, and dropped.", registry=registry
        )
        self.foreign_event_seconds = Histogram(
            "crosscurrent_foreign_event_seconds",
            "CPU of an event that another shard has learned.",
            registry=registry,
            buckets=FACT_BUCKETS,
        )
        self.network_age = Gauge(
            "crosscurrent_network_age_seconds",
            "Seconds since the weights of the network in use were published.",
            registry=registry,
        )
        self.weights = Counter(
            "crosscurrent_weights_bytes",
            "Bytes of published weights: sent by the network, or taken in by a shard.",
            ("direction",),
            registry=registry,
        )
        self.rerouted = Counter(
            "crosscurrent_rerouted", "Events sent on to the partition of their key.", registry=registry
        )
        for direction in ("sent", "folded"):
            self.facts.labels(direction)
        for direction in ("sent", "taken"):
            self.weights.labels(direction)
