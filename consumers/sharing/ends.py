"""Connect a shard to its own topics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from consumers.config.schema import Settings
from consumers.sharing.facts_topic import FactsTopic
from consumers.sharing.folders import epoch_of
from consumers.sharing.network_role import NetworkEnds
from consumers.sharing.reroute import reroute_sink
from consumers.sharing.shard import ShardEnds
from consumers.sharing.topic_reader import TopicReader
from serving.shard_metrics import ShardMetrics


def shard_ends(settings: Settings, partitions: int, registry: CollectorRegistry) -> ShardEnds | None:
    """Return the ends of this shard; None if there is one only. partitions: of each topic of events. Raises Stop."""
    shards = settings.shards
    if not shards.several:
        return None
    metrics = _metrics(settings, registry, str(shards.own()))
    sink = reroute_sink(settings.kafka, shards.reroute_topic)
    # Of weights only the newest count, so they are read from where there are some.
    model = TopicReader(settings.kafka, shards.model_topic, lambda _wanted, begin, _end: begin)
    return ShardEnds(FactsTopic(settings.kafka, shards), sink, partitions, metrics, model)


def network_ends(settings: Settings, registry: CollectorRegistry) -> NetworkEnds:
    """Return the ends of the process that trains the network of all shards."""
    metrics = _metrics(settings, registry, "network")
    return NetworkEnds(FactsTopic(settings.kafka, settings.shards, network=True), metrics)


def _metrics(settings: Settings, registry: CollectorRegistry, index: str) -> ShardMetrics:
    """Return metrics that tell the place of this process."""
    metrics, count = ShardMetrics(registry), settings.shards.count
    metrics.count.set(count)
    metrics.info.labels(index, str(count), str(epoch_of(settings))).set(1)
    return metrics
