"""The metrics keep their contract: names, prefix, labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from models.assessment.prequential import RMSE, Prequential
from serving.metrics import FRESHNESS_BUCKETS, Metrics

CONTRACT: dict[str, tuple[str, set[str]]] = {
    "events": ("counter", {"domain", "type"}),
    "duplicates": ("counter", {"domain"}),
    "forgotten": ("counter", {"domain"}),
    "deleted_rows": ("counter", {"domain"}),
    "dead_letters": ("counter", {"domain", "reason"}),
    "consumer_lag_records": ("gauge", {"topic", "partition"}),
    "consumer_lag_seconds": ("gauge", {"domain"}),
    "stage_seconds": ("histogram", {"stage"}),
    "freshness_seconds": ("histogram", {"domain"}),
    "canary_seconds": ("histogram", set()),
    "canary_lost": ("counter", set()),
    "store_evicted_keys": ("counter", set()),
    "impressions": ("counter", {"domain", "outcome"}),
    "impressions_clicked": ("counter", {"domain"}),
    "impression_clicks": ("counter", {"domain", "outcome"}),
    "position_shows": ("counter", {"domain", "position"}),
    "position_clicks": ("counter", {"domain", "position"}),
    "clicks_below_a_click": ("counter", {"domain"}),
    "drawn_places": ("counter", {"domain"}),
    "explored_places": ("counter", {"domain"}),
    "new_item_shows": ("counter", {"domain"}),
    "policy_impressions": ("counter", {"domain", "policy"}),
    "policy_clicks": ("counter", {"domain", "policy"}),
    "listed_events": ("counter", {"domain", "policy"}),
    "list_hits": ("counter", {"domain", "policy", "k"}),
    "shown_gini": ("gauge", {"domain"}),
    "shown_term_share": ("gauge", {"domain", "term"}),
    "examination_clicks": ("gauge", set()),
    "ranked_events": ("counter", {"domain", "arm"}),
    "hits": ("counter", {"domain", "arm", "k"}),
    "prequential_error": ("gauge", {"domain", "metric", "arm"}),
    "transfer_gain": ("gauge", {"domain", "metric"}),
    "drift_score": ("gauge", {"domain", "detector"}),
    "drift": ("counter", {"domain", "detector"}),
    "adaptation_rate": ("gauge", {"domain"}),
    "bias_correction": ("gauge", {"domain", "term"}),
    "domain_divergence": ("gauge", {"source", "target"}),
    "adaptation_actions": ("counter", {"domain", "action", "outcome"}),
    "guard_choice": ("gauge", {"domain", "history", "task", "arm"}),
    "source_weight": ("gauge", {"source", "target"}),
    "table_rows": ("gauge", {"table"}),
    "table_evictions": ("counter", {"table"}),
    "published": ("counter", {"kind"}),
    "publish_errors": ("counter", set()),
    "publish_backlog": ("gauge", set()),
    "lost_records": ("counter", set()),
    "key_mismatches": ("counter", set()),
    "dead_letters_refused": ("counter", set()),
    "checkpoint_seconds": ("histogram", set()),
    "checkpoint_age_seconds": ("gauge", set()),
    "skipped_updates": ("counter", {"reason"}),
    "ready": ("gauge", set()),
    "loop_idle_seconds": ("gauge", set()),
    "dead_letter_last_timestamp_seconds": ("gauge", {"domain"}),
    "challenger_events": ("gauge", {"domain", "action"}),
    "table_capacity": ("gauge", {"table"}),
    "kafka_silent_seconds": ("gauge", set()),
    "text_encoder_failures": ("counter", set()),
    "texts_waiting": ("gauge", set()),
    "event_weight": ("gauge", {"type"}),
}
"""Metrics of the contract, with their type and labels."""


def exported(metrics: Metrics) -> dict[str, tuple[str, set[str]]]:
    return {
        m._name: (m._type, set(m._labelnames))  # type: ignore[attr-defined]
        for m in {id(c): c for c in metrics.registry._collector_to_names}.values()
    }


def text(metrics: Metrics) -> list[str]:
    return generate_latest(metrics.registry).decode().splitlines()


@pytest.mark.parametrize("name", CONTRACT)
def test_every_metric_of_the_contract(name: str) -> None:
    """Every metric exists under the prefix, with its type and exactly its labels."""
    assert exported(Metrics())[f"crosscurrent_{name}"] == CONTRACT[name]


def test_nothing_beside_the_contract() -> None:
    """Every exported name starts with the prefix, and no label could hold a user or an item."""
    found = exported(Metrics())
    assert all(name.startswith("crosscurrent_") for name in found)
    assert set(found) <= {f"crosscurrent_{name}" for name in CONTRACT}
    labels = set().union(*(labels for _, labels in found.values()))
    assert not labels & {"user", "user_id", "item", "item_id", "key", "event_id"}


def test_counters_end_in_total_and_have_no_created_series() -> None:
    """Counters end in `_total`, and have no timestamps beside them."""
    metrics = Metrics()
    metrics.events.labels("movies", "click").inc()
    metrics.publish_errors.inc(2)
    lines = text(metrics)
    assert 'crosscurrent_events_total{domain="movies",type="click"} 1.0' in lines
    assert "crosscurrent_publish_errors_total 2.0" in lines
    assert not any("_created" in line for line in lines)


def test_freshness_buckets() -> None:
    """The freshness buckets ascend from 5 ms to an hour."""
    assert (FRESHNESS_BUCKETS[0], FRESHNESS_BUCKETS[-1]) == (0.005, 3600.0)
    assert list(FRESHNESS_BUCKETS) == sorted(set(FRESHNESS_BUCKETS))


def test_instances_do_not_share_a_registry() -> None:
    """Two services in one process (tests) do not collide; a registry may be handed in."""
    one, two = Metrics(), Metrics()
    one.publish_errors.inc()
    assert "crosscurrent_publish_errors_total 0.0" in text(two)
    registry = CollectorRegistry()
    assert Metrics(registry).registry is registry


def test_errors_and_gains() -> None:
    """Prequential errors are copied by arm, the gain where there are both."""
    prequential, metrics = Prequential(), Metrics()
    keys = [("books", "full"), ("books", "target_only"), ("movies", "full")]
    rows = [prequential.row(domain, RMSE, arm) for domain, arm in keys]
    prequential.add(np.array(rows), np.array([1.0, 4.0, 9.0]))
    metrics.set_errors(prequential)
    lines = text(metrics)
    assert 'crosscurrent_prequential_error{arm="target_only",domain="books",metric="rmse"} 2.0' in lines
    assert 'crosscurrent_prequential_error{arm="full",domain="movies",metric="rmse"} 3.0' in lines
    assert 'crosscurrent_transfer_gain{domain="books",metric="rmse"} 1.0' in lines
    assert not any(line.startswith("crosscurrent_transfer_gain") and "movies" in line for line in lines)


def test_report() -> None:
    """The fields of `cc:domain` that have a gauge are copied, the others left alone."""
    metrics = Metrics()
    metrics.set_report(
        "books",
        {
            "mean": 3.5,
            "bias:item": 0.5,
            "divergence:movies": 0.25,
            "weight:movies": 0.75,
            "adaptation_rate": 0.125,
            "error:rmse:full": 1,
        },
    )
    lines = text(metrics)
    assert 'crosscurrent_bias_correction{domain="books",term="item"} 0.5' in lines
    assert 'crosscurrent_domain_divergence{source="movies",target="books"} 0.25' in lines
    assert 'crosscurrent_source_weight{source="movies",target="books"} 0.75' in lines
    assert 'crosscurrent_adaptation_rate{domain="books"} 0.125' in lines
    assert not any("3.5" in line for line in lines)
    assert math.isclose(metrics.adaptation_rate.labels("books")._value.get(), 0.125)
