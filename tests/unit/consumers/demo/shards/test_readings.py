"""What a page of metrics tells of a process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from consumers.demo.shards.readings import Reading, cpu_share, reading_of
from serving.metrics import Metrics
from serving.shard_metrics import ShardMetrics


def test_a_page_of_the_service_is_read() -> None:
    """Values are added up over domains and partitions; facts that were sent are not facts of others."""
    registry = CollectorRegistry()
    metrics, shared = Metrics(registry), ShardMetrics(registry)
    metrics.events.labels("games", "rating").inc(30)
    metrics.events.labels("movies", "click").inc(12)
    metrics.lag_records.labels("interactions.games", "0").set(5)
    metrics.lag_records.labels("interactions.games", "4").set(2)
    shared.facts.labels("folded").inc(120)
    shared.facts.labels("sent").inc(42)
    shared.lag_records.set(3)
    reading = reading_of(generate_latest(registry).decode(), at=7.0)
    assert reading == Reading(at=7.0, learned=42, folded=120, lag=7, facts_lag=3)
    assert reading.waiting == 10


def test_a_page_without_our_metrics_tells_nothing() -> None:
    assert reading_of("# HELP other_total x\nother_total 3\n", 1.0) == Reading(at=1.0)
    assert reading_of("", 1.0) == Reading(at=1.0)


def test_the_processor_s_share_needs_two_readings() -> None:
    """1.5 s of CPU in 2 s."""
    assert cpu_share(()) is None
    assert cpu_share((Reading(at=1.0),)) is None
    assert cpu_share((Reading(at=1.0, cpu_seconds=4.0), Reading(at=3.0, cpu_seconds=5.5))) == 0.75
