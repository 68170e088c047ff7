"""The process that trains the network of several shards: what they take in, and what its death means."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zstandard
from kafka import KafkaConsumer, TopicPartition

from consumers.config.loader import load
from consumers.service.wiring import learners
from models.arms.arm_comparison import ArmComparison
from models.state.checkpoint import CheckpointDirectory
from tests.support.service.running import Running, wait_for
from tests.support.service.shards_world import START_PATIENCE, USERS, Shards

pytestmark = pytest.mark.timeout(600)

Make = Callable[..., Shards]
AGE, FOLDED = "crosscurrent_network_age_seconds", "crosscurrent_facts_total"


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path, bootstrap: str, topic_prefix: str) -> Iterator[Make]:
    """Make a service of this many shards, with items that have texts; stopped after the test."""
    url, made = request.getfixturevalue("redis_store").url, list[Shards]()

    def one(count: int) -> Shards:
        shards = Shards(tmp_path, bootstrap, url, topic_prefix, count)
        made.append(shards)
        shards.send_items()
        return shards

    yield one
    for shards in made:
        shards.close()


def loaded(process: Running, folder: str, follows: bool) -> ArmComparison:
    """Return the learners of a stopped process."""
    settings = load(process.config, {"CROSSCURRENT_SHARDS__INDEX": "0"})
    place = Path(settings.checkpoint.directory) / "layout-1" / folder
    state, _ = CheckpointDirectory(place, read_only=True).load()
    assert state is not None
    arms = learners(settings, follows)
    arms.load(state["arms"])
    return arms


def wait_until_learned(shards: Shards, network: Running) -> None:
    """Wait until the network has learned every event that was sent, and has published that."""
    sent = sum(shards.items.values())
    before = network.metric(FOLDED)
    assert before <= sent
    wait_for(
        lambda: network.metric("crosscurrent_facts_lag_records") == 0 and fresh(network),
        START_PATIENCE,
        f"all facts are learned; {network.log.read_text()[-2000:]}",
    )
    published = [-1.0]

    def still() -> bool:
        published.append(network.metric("crosscurrent_weights_bytes_total"))
        time.sleep(1.0)
        return published[-1] == published[-2]

    wait_for(still, START_PATIENCE, "the last step is published")


def fresh(process: Running) -> bool:
    """Return whether the weights in use were published a moment ago."""
    return process.metric(AGE) < 15


def values(shards: Shards) -> list[bytes]:
    """Return the values of the topic of weights, unpacked."""
    consumer = KafkaConsumer(bootstrap_servers=shards.bootstrap, auto_offset_reset="earliest")
    place = TopicPartition(f"{shards.prefix}.model", 0)
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    end, found = consumer.end_offsets([place])[place], list[bytes]()
    while consumer.position(place) < end:
        found += [record.value for some in consumer.poll(1000).values() for record in some]
    consumer.close()
    return [value + zstandard.ZstdDecompressor().decompress(value[4:]) for value in found]


def test_shards_use_the_one_network_and_learn_of_no_user(make: Make) -> None:
    """All compute the same vectors of items as the process that trains; no record of weights holds a user's id."""
    shards = make(2)
    network = shards.network()
    network.start()
    shards.send(300)
    shards.start()
    network.wait_until_ready(START_PATIENCE)
    shards.send(300)
    shards.wait_until_counted()
    wait_until_learned(shards, network)
    assert network.metric(FOLDED) == 600
    assert network.stop() == 0
    assert shards.stop() == [0, 0]
    shards.start()  # a start reads all that was published
    assert all(fresh(shard) or shard.metric(AGE) < START_PATIENCE for shard in shards.shards)
    assert shards.stop() == [0, 0]
    role = loaded(network, "network", follows=False).full
    assert role.learned == [sum(n for (d, _), n in shards.items.items() if d == name) for name in role.index]
    assert len(role.users) == 0
    for index, shard in enumerate(shards.shards):
        copy = loaded(shard, f"shard-{index}", follows=True).full
        assert copy.model == role.model > 0
        for d, catalogue in enumerate(role.catalogues):
            ours = [copy.catalogues[d].ids.get(item) for item in catalogue.ids]
            theirs = [catalogue.ids.get(item) for item in catalogue.ids]
            np.testing.assert_allclose(copy.catalogues[d].vectors[ours], catalogue.vectors[theirs], atol=1e-5)
            vectors = copy.network.item_vectors(d)[ours], role.network.item_vectors(d)[theirs]
            np.testing.assert_allclose(*vectors, atol=1e-5)
    records = b"".join(values(shards))
    assert b"m7" in records, "items are named, so the search can see"
    assert not [n for n in range(USERS) if f"user-{n}".encode() in records]


@pytest.mark.soak
def test_while_it_is_away_shards_go_on_and_a_kill_loses_and_doubles_nothing(make: Make) -> None:
    shards = make(2)
    network = shards.network()
    network.start()
    shards.send(120)
    shards.start()
    network.wait_until_ready(START_PATIENCE)
    shards.wait_until_counted()
    wait_for(lambda: network.metric(FOLDED) > 0, why="the network learns")
    time.sleep(1.0)  # so that there is a checkpoint
    network.kill()
    before = shards.shards[1].metric(AGE)
    shards.send(120)
    shards.wait_until_counted()
    assert all(shard.get("/readyz")[0] == 200 for shard in shards.shards)
    time.sleep(1.0)
    assert shards.shards[1].metric(AGE) > before
    network.start()
    shards.shards[0].kill()
    shards.send(120)
    shards.shards[0].start()
    shards.wait_until_counted()
    network.wait_until_ready(START_PATIENCE)
    wait_until_learned(shards, network)
    wait_for(lambda: all(map(fresh, shards.shards)), START_PATIENCE, "shards take in new weights")
    assert network.stop() == 0
    assert sum(loaded(network, "network", follows=False).full.learned) == 360


@pytest.mark.soak
def test_the_later_of_two_processes_trains(make: Make) -> None:
    """It is stopped, another takes its place, it goes on: exit code 4, and it publishes nothing more."""
    shards = make(2)
    old, twin = shards.network(), shards.network("-twin")
    old.start()
    old.wait_until_ready(START_PATIENCE)
    assert old.process is not None
    old.process.send_signal(signal.SIGSTOP)
    twin.start()
    twin.wait_until_ready(START_PATIENCE)
    old.process.send_signal(signal.SIGCONT)
    assert old.process.wait(START_PATIENCE) == 4
    # The second is what Kafka tells if it had something on its way.
    assert re.search("another process (runs|may run) as the network", old.log.read_text())
    assert twin.stop() == 0


def test_one_process_alone_needs_none(make: Make) -> None:
    shards = make(2)
    one = shards.network(count=1)
    one.start()
    assert one.process is not None
    assert one.process.wait(START_PATIENCE) == 2
    assert "shards.count is 1" in one.log.read_text()
