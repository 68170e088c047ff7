"""Define every metric that the service exports. Units are in the names. Users and items are never labels."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, disable_created_metrics

from models.arms.arm_selector import ArmSelector
from models.assessment.prequential import Prequential
from models.settings import ARMS
from serving.instruments import Instruments

disable_created_metrics()  # type: ignore[no-untyped-call]

STAGE_BUCKETS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
FRESHNESS_BUCKETS = (
    0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
    900.0, 3600.0,
)  # fmt: skip


class Metrics(Instruments):
    """All metrics of a process. Counters count since the process started."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        self._count_events()
        self._count_shown()
        self._count_hits()
        self._count_results()
        self._show_stream()
        self._show_learning()
        self._show_tables()
        self._measure_times()

    def _count_events(self) -> None:
        self.events = self._counter("events", "Events learned.", "domain", "type")
        self.duplicates = self._counter("duplicates", "Repeated event_ids, skipped.", "domain")
        self.forgotten = self._counter(
            "forgotten", "Events from before their user asked to be forgotten; dropped.", "domain"
        )
        self.deleted_rows = self._counter(
            "deleted_rows", "Records that say that a row of interactions was deleted; skipped.", "domain"
        )
        self.dead_letters = self._counter(
            "dead_letters", "Records that could not be used.", "domain", "reason"
        )
        self.dead_letters_refused = self._counter(
            "dead_letters_refused",
            "Dead letters that the broker refused, left out; the log names their place.",
        )
        self.key_mismatches = self._counter(
            "key_mismatches", "Records whose key is not their id; still learned."
        )
        self.lost_records = self._counter(
            "lost_records", "Records gone from the log, skipped with --accept-gap."
        )

    def _count_shown(self) -> None:
        self.impressions = self._counter(
            "impressions",
            "Impressions: kept, out_of_order (kept, after a later one), late (too old) or duplicate.",
            "domain",
            "outcome",
        )
        self.impressions_clicked = self._counter(
            "impressions_clicked", "Impressions that were clicked for the first time.", "domain"
        )
        self.impression_clicks = self._counter(
            "impression_clicks",
            "Clicks and ratings by what they answer: an item of an impression (answered), once more (again), an "
            "impression that is not there (missing), none that showed the item (unshown).",
            "domain",
            "outcome",
        )
        self.position_shows = self._counter(
            "position_shows", "Items shown, by their place in the impression.", "domain", "position"
        )
        self.position_clicks = self._counter(
            "position_clicks", "Items of impressions that were answered.", "domain", "position"
        )
        self.clicks_below = self._counter(
            "clicks_below_a_click", "Items that were answered below another of the impression.", "domain"
        )

    def _count_hits(self) -> None:
        self.policy_impressions = self._counter(
            "policy_impressions",
            "Impressions by what made the list: default, or an experiment's arm as experiment/arm.",
            "domain",
            "policy",
        )
        self.policy_clicks = self._counter(
            "policy_clicks",
            "Items of impressions that were answered, by what made the list.",
            "domain",
            "policy",
        )
        self.drawn_places = self._counter(
            "drawn_places", "Places of published lists that were drawn (`ranker.explore`).", "domain"
        )
        self.explored_places = self._counter(
            "explored_places", "Of these, places whose item was not among the best.", "domain"
        )
        self.new_item_shows = self._counter(
            "new_item_shows", "Items of impressions that were shown less than 20 times before.", "domain"
        )
        self.listed_events = self._counter(
            "listed_events",
            "Events of users who had a list in the store, once there are impressions, by what made the list.",
            "domain",
            "policy",
        )
        self.list_hits = self._counter(
            "list_hits",
            "Of these, events whose item was among the first k of the user's list.",
            "domain",
            "policy",
            "k",
        )
        self.ranked_events = self._counter(
            "ranked_events", "Events whose item an arm had ranked before they were learned.", "domain", "arm"
        )
        self.hits = self._counter(
            "hits", "Ranked events whose item was among the first k of the arm's list.", "domain", "arm", "k"
        )

    def _count_results(self) -> None:
        self.skipped_updates = self._counter("skipped_updates", "Network steps not taken.", "reason")
        self.drift = self._counter("drift", "Drifts detected.", "domain", "detector")
        self.actions = self._counter(
            "adaptation_actions",
            "Actions tried on drift, and strategies tried, by outcome.",
            "domain",
            "action",
            "outcome",
        )
        self.published = self._counter("published", "Writes acknowledged by the store.", "kind")
        self.publish_errors = self._counter("publish_errors", "Failed writes to the store.")
        self.store_evicted = self._counter(
            "store_evicted_keys", "Keys that a full store evicted, of any program."
        )
        self.canary_lost = self._counter("canary_lost", "Canaries that were not readable within 60 s.")
        self.text_encoder_failures = self._counter(
            "text_encoder_failures", "Requests that the text encoder did not answer; its texts wait."
        )
        self.table_evictions = self._counter(
            "table_evictions", "Rows that were evicted for a newer user or item.", "table"
        )

    def _show_stream(self) -> None:
        self.dead_letter_last = self._gauge(
            "dead_letter_last_timestamp_seconds",
            "When the newest dead letter was made (Unix time).",
            "domain",
        )
        self.lag_records = self._gauge(
            "consumer_lag_records", "Records not learned yet.", "topic", "partition"
        )
        self.lag_seconds = self._gauge(
            "consumer_lag_seconds", "How long the oldest record that is not learned has waited.", "domain"
        )

        self.kafka_silent = self._gauge(
            "kafka_silent_seconds", "For how long a broker that was asked for records has not answered."
        )

    def _show_learning(self) -> None:
        self.shown_gini = self._gauge(
            "shown_gini",
            "Gini coefficient of how often each item was shown in the last days: 0 if all alike, near 1 if few.",
            "domain",
        )
        self.event_weight = self._gauge(
            "event_weight", "How many clicks an event of an own type counts as, as learned.", "type"
        )
        self.shown_share = self._gauge(
            "shown_term_share",
            "How much a term that impressions teach (appeal, fatigue) counts in lists, from 0 to 1.",
            "domain",
            "term",
        )
        self.examination_clicks = self._gauge(
            "examination_clicks",
            "Clicks that tell how often each place is looked at; from 100 on they count. Only drawn lists tell.",
        )
        self.error = self._gauge(
            "prequential_error", "Fading error, predicted before learning.", "domain", "metric", "arm"
        )
        self.gain = self._gauge(
            "transfer_gain", "Error of the target-only arm minus error of the full one.", "domain", "metric"
        )
        self.guard_choice = self._gauge(
            "guard_choice", "1 for the arm that is followed.", "domain", "history", "task", "arm"
        )
        self.challenger_events = self._gauge(
            "challenger_events", "Events that a running challenger was judged on.", "domain", "action"
        )
        self.drift_score = self._gauge(
            "drift_score", "Shift of the mean at the last alarm.", "domain", "detector"
        )
        self.adaptation_rate = self._gauge(
            "adaptation_rate", "Pull of the target's biases to the sources'.", "domain"
        )
        self.bias_correction = self._gauge("bias_correction", "Current bias correction.", "domain", "term")
        self.divergence = self._gauge(
            "domain_divergence", "Distance of item vector moments.", "source", "target"
        )
        self.source_weight = self._gauge(
            "source_weight", "A source's share in a target's biases.", "source", "target"
        )

    def _show_tables(self) -> None:
        self.table_rows = self._gauge("table_rows", "Resident rows.", "table")
        self.table_capacity = self._gauge(
            "table_capacity", "Most rows; with more, the least recently seen one is evicted.", "table"
        )
        self.publish_backlog = self._gauge("publish_backlog", "Values that the store has not acknowledged.")
        self.texts_waiting = self._gauge("texts_waiting", "Item texts that are not encoded yet.")
        self.checkpoint_age = self._gauge("checkpoint_age_seconds", "Since the last good checkpoint.")
        self.ready = self._gauge("ready", "1 if /readyz answers 200.")
        self.loop_idle = self._gauge("loop_idle_seconds", "Since the loop last turned.")

    def _measure_times(self) -> None:
        self.stage_seconds = self._histogram(
            "stage_seconds",
            "Time of one stage, a batch. A network step beside a batch is part of its `learn`.",
            STAGE_BUCKETS,
            "stage",
        )
        self.freshness_seconds = self._histogram(
            "freshness_seconds", "Kafka record time to readable in the store.", FRESHNESS_BUCKETS, "domain"
        )
        self.canary_seconds = self._histogram(
            "canary_seconds", "A canary sent to Kafka until it is readable in the store.", FRESHNESS_BUCKETS
        )
        self.checkpoint_seconds = self._histogram(
            "checkpoint_seconds", "Time to take and write a checkpoint.", STAGE_BUCKETS
        )

    def set_errors(self, prequential: Prequential) -> None:
        """Copy the prequential errors and gains into their gauges."""
        for domain, metric, arm in prequential.measured():
            value = prequential.error(domain, metric, arm)
            if value is not None:
                self.error.labels(domain, metric, arm).set(value)
            gain = prequential.gain(domain, metric)
            if gain is not None:
                self.gain.labels(domain, metric).set(gain)

    def set_guard(self, guard: ArmSelector) -> None:
        """Show which arm is followed, for each history bucket of each target."""
        for (domain, history, task), followed in guard.choices().items():
            for arm in ARMS:
                self.guard_choice.labels(domain, history, task, arm).set(arm == followed)

    def set_report(self, domain: str, report: dict[str, float]) -> None:
        """Copy the fields of `cc:domain:<domain>` that have a gauge."""
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
