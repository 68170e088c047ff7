"""Kill the brokers that lead what shards share, on three brokers of Apache Kafka. Only `make soak` runs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from consumers.demo.embedded_servers import NotInstalledError
from tests.soak.parts.shard_feed import ShardFeed
from tests.support.kafka.apache_kafka import ApacheKafka, started_kafka
from tests.support.kafka.quorum import Quorum
from tests.support.service.shards_world import START_PATIENCE, Shards, every_copy_counted_every_event

AWAY_SECONDS = 5.0


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_leaders_of_facts_and_weights_die_and_nothing_is_lost(
    request: pytest.FixtureRequest, tmp_path: Path, topic_prefix: str, missing: Callable[[object], NoReturn]
) -> None:
    """Two shards and their network go on, and every copy counts every event once."""
    url = request.getfixturevalue("redis_store").url
    try:
        with started_kafka(tmp_path, brokers=3) as cluster:
            _run(cluster, Shards(tmp_path / "service", cluster.bootstrap, url, topic_prefix, 2), topic_prefix)
    except NotInstalledError as error:
        missing(error)


def _run(cluster: ApacheKafka, shards: Shards, prefix: str) -> None:
    topics = [f"{prefix}.facts", f"{prefix}.model"]
    network, feed, quorum = shards.network(), ShardFeed(shards), Quorum(cluster.bootstrap, topics)
    try:
        network.start()
        shards.start()
        feed.start()
        for topic in (*topics, topics[0]):
            before = quorum.led()
            number = before[topic, 0].leader
            cluster.brokers[number].kill()
            quorum.led_anew(before, {number}, away={number})
            time.sleep(AWAY_SECONDS)
            cluster.brokers[number].start()
            quorum.whole()
        feed.end()
        shards.wait_until_counted()
        network.wait_until_ready(START_PATIENCE)
        assert shards.users.total() > 0
        every_copy_counted_every_event(shards)
    finally:
        quorum.close()
        shards.close()
