"""Kill four shards and the process of their network with -9, each at 25 moments. Only `make soak` runs it."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak.parts.shard_feed import ShardFeed
from tests.support.service.running import Running
from tests.support.service.shards_world import START_PATIENCE, Shards, every_copy_counted_every_event

SHARDS, KILLS = 4, 25


class ShardStorm:
    """Kills processes in random order, up to two at once. `hits` says what each kill interrupted."""

    def __init__(self, shards: Shards, seed: int) -> None:
        self.hits = Counter[str]()
        self._random = random.Random(seed)
        self._network = shards.network()
        self._all = [*shards.shards, self._network]

    def run(self) -> None:
        """Kill each process `KILLS` times. At the end all run and are ready."""
        self._network.start()
        left = [process for process in self._all for _ in range(KILLS)]
        self._random.shuffle(left)
        while left:
            victims = list({id(one): one for one in left[: self._random.choice((1, 1, 2))]}.values())
            for one in victims:
                left.remove(one)
                self._kill(one)
            for one in victims:
                one.start()
        for one in self._all:
            one.wait_until_ready(START_PATIENCE)

    def _kill(self, process: Running) -> None:
        """Kill it during a start, while it writes a checkpoint, or at any moment."""
        what = self._random.choice(("start", "checkpoint", "stream"))
        if what == "start":
            time.sleep(self._random.uniform(0.0, 3.0))
        else:
            process.wait_until_ready(START_PATIENCE)
            if what == "checkpoint":
                self._await_writing(process)
            else:
                time.sleep(self._random.uniform(0.0, 1.5))
        assert process.process is not None
        assert process.process.poll() is None, process.log.read_text()[-3000:]
        process.kill()
        met = "half a checkpoint" if self._writing(process) else "no half checkpoint"
        self.hits[f"{process.verb}, {what}: {met}"] += 1

    def _await_writing(self, process: Running) -> None:
        deadline = time.monotonic() + 20
        while not self._writing(process):
            assert time.monotonic() < deadline, "no checkpoint is written"
            time.sleep(0.0005)
        time.sleep(self._random.choice((0, 0.002, 0.01)))

    def _writing(self, process: Running) -> bool:
        folder = process.config.parent / "checkpoints"
        return any(folder.rglob("writing-*"))


@pytest.fixture
def shards(
    request: pytest.FixtureRequest, tmp_path: Path, bootstrap: str, topic_prefix: str
) -> Iterator[Shards]:
    made = Shards(tmp_path, bootstrap, request.getfixturevalue("redis_store").url, topic_prefix, SHARDS)
    yield made
    made.close()


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_kills_of_four_shards_and_their_network_lose_nothing(shards: Shards) -> None:
    """Every user's events and every copy's count of each item are exact."""
    storm, feed = ShardStorm(shards, seed=25), ShardFeed(shards)
    shards.start()
    feed.start()
    try:
        storm.run()
    finally:
        feed.end()
    print(*(f"{what}: {n}" for what, n in sorted(storm.hits.items())), sep="\n")  # noqa: T201  the soak's figures
    print(f"events: {shards.users.total()}")  # noqa: T201
    shards.wait_until_counted()
    every_copy_counted_every_event(shards)
    in_writes = sum(n for what, n in storm.hits.items() if what.endswith(": half a checkpoint"))
    assert in_writes >= KILLS // 2, f"too few kills met a checkpoint being written: {storm.hits}"
