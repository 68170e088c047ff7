"""Checkpoints of one of several processes are lost: what the runbook says makes the service whole again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from consumers.config.loader import load
from consumers.sharing.topics import create_shard_topics
from tests.support.service.running import wait_for
from tests.support.service.shards_world import START_PATIENCE, Shards, every_copy_counted_every_event

pytestmark = [pytest.mark.timeout(900), pytest.mark.soak]
AGE, FOLDED = "crosscurrent_network_age_seconds", "crosscurrent_facts_total"


@pytest.fixture
def service(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    one_bootstrap: str,
    topic_prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Shards]:
    """Two shards, and items with texts; all processes have the same checkpoint directory."""
    monkeypatch.setenv("CROSSCURRENT_CHECKPOINT__DIRECTORY", str(tmp_path / "all"))
    made = Shards(tmp_path, one_bootstrap, request.getfixturevalue("redis_store").url, topic_prefix, 2)
    made.send_items()
    yield made
    made.close()


def fresh(shards: Shards) -> bool:
    """Return whether all shards use weights that were published a moment ago."""
    return all(shard.metric(AGE) < 15 for shard in shards.shards)


def test_the_networks_are_made_from_those_of_the_shards(service: Shards, tmp_path: Path) -> None:
    """Even after an empty process has published. The shards go on with the new one, and it learns new facts alone."""
    trainer = service.network()
    trainer.start()
    service.send(300)
    service.start()
    trainer.wait_until_ready(START_PATIENCE)
    service.wait_until_counted()
    wait_for(
        lambda: trainer.metric(FOLDED) == 300 and fresh(service), START_PATIENCE, "the network learned all"
    )
    assert service.stop() == [0, 0]
    assert trainer.stop() == 0
    lost = tmp_path / "all" / "layout-1" / "network"
    shutil.rmtree(lost)
    trainer.start()  # as a pod on an empty volume
    trainer.wait_until_ready(START_PATIENCE)
    wait_for(lambda: trainer.metric("crosscurrent_weights_bytes_total"), START_PATIENCE, "it publishes")
    assert trainer.stop() == 0

    shutil.rmtree(lost)
    with KafkaAdminClient(bootstrap_servers=service.bootstrap) as admin:
        admin.delete_topics([f"{service.prefix}.model"])
    create_shard_topics({"bootstrap_servers": service.bootstrap}, load(service.shards[0].config))
    words = ("rescale", "--config", str(service.shards[0].config), "--count", "2")
    done = service.shards[0].command(*words, timeout=START_PATIENCE)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "all" / "layout-2" / "network").iterdir())
    service.start()
    trainer.start()
    trainer.wait_until_ready(START_PATIENCE)
    service.send(300)
    service.wait_until_counted()
    wait_for(lambda: trainer.metric(FOLDED) == 300, START_PATIENCE, "it learns what is new")
    wait_for(lambda: fresh(service), START_PATIENCE, "shards take its weights in")
    assert service.stop() == [0, 0]
    assert trainer.stop() == 0


def test_a_shard_learns_its_users_again_and_nothing_twice(service: Shards, tmp_path: Path) -> None:
    """From an empty folder, while the topic of facts holds all. The other shard is not touched."""
    service.send(120)
    service.start()
    service.wait_until_counted()
    lost = service.shards[1]
    lost.kill()
    shutil.rmtree(tmp_path / "all" / "layout-1" / "shard-1")
    service.send(60)
    lost.start()
    lost.wait_until_ready(START_PATIENCE)
    service.wait_until_counted()
    every_copy_counted_every_event(service)
