"""Every metric the service exports, in one typed list. Units are in the names; never a user or item as a label."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from models.arm_selector import ARMS, Guard
from models.assessment.prequential import Prequential

disable_created_metrics()  # type: ignore[no-untyped-call]

STAGE_BUCKETS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
FRESHNESS_BUCKETS = (
    0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
    900.0, 3600.0,
)  # fmt: skip


class Metrics:
    """One instance a process; counters count since process start. Prefix `crosscurrent_`."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"crosscurrent_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"crosscurrent_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"crosscurrent_{name}", text, labels, registry=registry, buckets=buckets)

        self.events = counter("events", "Events learned.", "domain", "type")
        self.duplicates = counter("duplicates", "Repeated event_ids, skipped.", "domain")
        self.forgotten = counter(
            "forgotten", "Events from before their user asked to be forgotten; dropped.", "domain"
        )
        self.dead_letters = counter("dead_letters", "Records that could not be used.", "domain", "reason")
        self.dead_letters_refused = counter(
            "dead_letters_refused", "Dead letters that the broker refused for good; logged with their place."
        )
        self.key_mismatches = counter("key_mismatches", "Records whose key is not their id; still learned.")
        self.lost_records = counter("lost_records", "Records gone from the log, passed by with --accept-gap.")
        self.skipped_updates = counter("skipped_updates", "Network steps not taken.", "reason")
        self.drift = counter("drift", "Drifts detected.", "domain", "detector")
        self.actions = counter(
            "adaptation_actions",
            "Actions tried on drift, and strategies, by what became of them.",
            "domain",
            "action",
            "outcome",
        )
        self.published = counter("published", "Writes acknowledged by the store.", "kind")
        self.publish_errors = counter("publish_errors", "Failed writes to the store; they are retried.")
        self.store_evicted = counter("store_evicted_keys", "Keys that a full store threw away, of anybody's.")
        self.canary_lost = counter("canary_lost", "Canaries that were not readable within 60 s.")
        self.table_evictions = counter("table_evictions", "Rows given to someone else.", "table")

        self.dead_letter_last = gauge(
            "dead_letter_last_timestamp_seconds",
            "When the newest dead letter was made (Unix time).",
            "domain",
        )
        self.lag_records = gauge("consumer_lag_records", "Records not learned yet.", "topic", "partition")
        self.lag_seconds = gauge(
            "consumer_lag_seconds", "How long the oldest record that is not learned has waited.", "domain"
        )
        self.error = gauge(
            "prequential_error", "Fading error, predicted before learning.", "domain", "metric", "arm"
        )
        self.gain = gauge(
            "transfer_gain", "Error of the target-only arm minus error of the full one.", "domain", "metric"
        )
        self.guard_choice = gauge(
            "guard_choice", "1 for the arm that is followed.", "domain", "history", "task", "arm"
        )
        self.challenger_events = gauge(
            "challenger_events", "Events that a running challenger was judged on.", "domain", "action"
        )
        self.drift_score = gauge("drift_score", "Shift of the mean at the last alarm.", "domain", "detector")
        self.adaptation_rate = gauge(
            "adaptation_rate", "Pull of the target's biases to the sources'.", "domain"
        )
        self.bias_correction = gauge("bias_correction", "Current bias correction.", "domain", "term")
        self.divergence = gauge("domain_divergence", "Distance of item vector moments.", "source", "target")
        self.source_weight = gauge(
            "source_weight", "A source's share in a target's biases.", "source", "target"
        )
        self.table_rows = gauge("table_rows", "Resident rows.", "table")
        self.table_capacity = gauge("table_capacity", "Rows past which the least recently seen go.", "table")
        self.publish_backlog = gauge("publish_backlog", "Values that the store has not acknowledged.")
        self.checkpoint_age = gauge("checkpoint_age_seconds", "Since the last good checkpoint.")
        self.ready = gauge("ready", "1 if /readyz answers 200.")
        self.loop_idle = gauge("loop_idle_seconds", "Since the loop last turned.")

        self.stage_seconds = histogram("stage_seconds", "Time of one stage, a batch.", STAGE_BUCKETS, "stage")
        self.freshness_seconds = histogram(
            "freshness_seconds", "Kafka record time to readable in the store.", FRESHNESS_BUCKETS, "domain"
        )
        self.canary_seconds = histogram(
            "canary_seconds", "A canary sent to Kafka until it is readable in the store.", FRESHNESS_BUCKETS
        )
        self.checkpoint_seconds = histogram(
            "checkpoint_seconds", "Time to take and write a checkpoint.", STAGE_BUCKETS
        )

    def set_errors(self, prequential: Prequential) -> None:
        """Copies the prequential errors and gains into their gauges."""
        for domain, metric, arm in prequential.measured():
            value = prequential.error(domain, metric, arm)
            if value is not None:
                self.error.labels(domain, metric, arm).set(value)
            gain = prequential.gain(domain, metric)
            if gain is not None:
                self.gain.labels(domain, metric).set(gain)

    def set_guard(self, guard: Guard) -> None:
        """Which arm is followed, for each history bucket of each target."""
        for (domain, history, task), followed in guard.choices().items():
            for arm in ARMS:
                self.guard_choice.labels(domain, history, task, arm).set(arm == followed)

    def set_report(self, domain: str, report: dict[str, float]) -> None:
        """Copies the fields of `cc:domain:<domain>` that have a gauge."""
        for field, value in report.items():
            kind, _, rest = field.partition(":")
            if kind == "bias":
                self.bias_correction.labels(domain, rest).set(value)
            elif kind == "divergence":
                self.divergence.labels(rest, domain).set(value)
            elif kind == "weight":
                self.source_weight.labels(rest, domain).set(value)
            elif kind == "adaptation_rate":
                self.adaptation_rate.labels(domain).set(value)
