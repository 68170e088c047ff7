"""Several processes of one service on real brokers: whatever happens to one, each event counts once in each."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.service.running import wait_for
from tests.support.service.shards_world import START_PATIENCE, Shards, every_copy_counted_every_event

pytestmark = pytest.mark.timeout(600)

Make = Callable[..., Shards]


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path, bootstrap: str, topic_prefix: str) -> Iterator[Make]:
    """Make a service of this many shards, stopped after the test."""
    url, made = request.getfixturevalue("redis_store").url, list[Shards]()

    def one(count: int, **options: int) -> Shards:
        made.append(Shards(tmp_path, bootstrap, url, topic_prefix, count, **options))
        return made[-1]

    yield one
    for shards in made:
        shards.close()


def test_kill_9_loses_nothing_and_counts_nothing_twice(make: Make) -> None:
    """Shards are killed at random while events come; the others go on."""
    shards, chance = make(3), random.Random(5)
    shards.send(60)
    shards.start()
    for _ in range(4):
        shards.send(60)
        time.sleep(chance.uniform(0.0, 1.5))
        victim = chance.choice(shards.shards)
        victim.kill()
        shards.send(40)
        victim.start()
    shards.wait_until_counted()
    for shard in shards.shards:
        shard.wait_until_ready(START_PATIENCE)
    assert shards.shards[0].metric("crosscurrent_facts_total") > 0
    every_copy_counted_every_event(shards)


@pytest.mark.soak
def test_an_older_process_of_a_shard_stops_and_saves_nothing(make: Make) -> None:
    """It is stopped, another takes its place, it goes on: exit code 4, and every event counts once."""
    shards = make(2)
    shards.send(60)
    shards.start()
    shards.wait_until_counted()
    old = shards.shards[0]
    assert old.process is not None
    old.process.send_signal(signal.SIGSTOP)
    twin = shards.process(0, "-twin")
    twin.start()
    shards.send(60)
    twin.wait_until_ready(START_PATIENCE)
    shards.wait_until_counted()
    old.process.send_signal(signal.SIGCONT)
    shards.send(60)
    assert old.process.wait(START_PATIENCE) == 4
    assert "another process runs as shard" in old.log.read_text()
    shards.shards[0] = twin
    shards.wait_until_counted()
    every_copy_counted_every_event(shards)


def test_an_event_in_another_partition_reaches_the_shard_of_its_user(make: Make) -> None:
    """As from a producer with another partitioner: sent on, learned once by the right shard, also after a kill."""
    shards = make(2)
    shards.send(60)
    shards.send(48, wrong=True)
    shards.start()
    shards.wait_until_counted()
    assert sum(shard.metric("crosscurrent_rerouted_total") for shard in shards.shards) == 48
    shards.send(48, wrong=True)
    shards.shards[0].kill()
    shards.shards[0].start()
    shards.wait_until_counted()
    every_copy_counted_every_event(shards)


def test_topics_with_different_numbers_of_partitions_are_refused(make: Make) -> None:
    """By `check` and at the start, before anything is learned; the message names the topics."""
    shards = make(2, of_books=6)
    assert shards.created.returncode == 2
    assert f"{shards.topic('books')} has 6" in shards.created.stdout
    shard = shards.shards[1]
    shard.start()
    assert shard.process is not None
    assert shard.process.wait(START_PATIENCE) == 2
    assert "different numbers of partitions" in shard.log.read_text()


def test_another_number_of_shards_needs_a_rescale(make: Make) -> None:
    """Exit code 4, and the command that helps."""
    shards = make(2)
    shards.start()
    assert shards.stop() == [0, 0]
    for count in (1, 3):
        changed = shards.process(0, count=count)
        changed.start()
        assert changed.process is not None
        assert changed.process.wait(START_PATIENCE) == 4
        assert f"crosscurrent rescale --count {count}" in changed.log.read_text()


def test_records_of_no_owner_are_written_by_one_shard(make: Make) -> None:
    """Items by either, the rest by the first; both have a mark of their own to recognise the store by."""
    shards = make(2)
    shards.send(120)
    shards.start()
    shards.wait_until_counted()

    def keys(pattern: str) -> set[bytes]:
        return set(shards.store.keys(f"{shards.prefix}:{pattern}"))

    wait_for(lambda: len(keys("item:*")) == len(shards.items), why="every item is published")
    wait_for(lambda: keys("popular:*") and keys("domain:*"), why="popular lists and domains are published")
    assert {key.decode().removeprefix(f"{shards.prefix}:") for key in keys("meta*")} == {
        "meta",
        "meta:shard-1",
    }
