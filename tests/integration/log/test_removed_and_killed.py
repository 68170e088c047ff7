"""A service that is killed while it reads a topic of items anew ends with lists without removed items."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kafka.apache_kafka import Address
from tests.support.log.compaction import CompactedTopic
from tests.support.log.item_lives import FILLER, item
from tests.support.service.running import wait_for
from tests.support.service.service_world import World

MANY = 3000


class ManyItems:
    """Make a world whose movies topic holds many items and is compacted at once."""

    def __init__(self, folder: Path, bootstrap: str, url: str, prefix: str) -> None:
        self.topic = CompactedTopic(bootstrap, f"items.{prefix}.movies", item(FILLER))
        self.world = World(folder, bootstrap, url, prefix)
        self.topic.send(*(item(f"m{n}") for n in range(MANY)))
        self.world.rate("movies", "alice", "m1", 5)
        self.world.producer.flush()

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.world.service.log.read_text().splitlines()]

    def said(self, words: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if words in line["event"]]

    def in_store(self, name: str) -> bool:
        return bool(self.world.store.exists(f"{self.world.prefix}:item:movies:{name}"))


@pytest.fixture
def many(tmp_path: Path, apache: Address, redis_store: Any, topic_prefix: str) -> Iterator[ManyItems]:
    made = ManyItems(tmp_path, apache.bootstrap, redis_store.url, topic_prefix)
    yield made
    made.world.close()


def test_killed_while_a_topic_is_read_anew(many: ManyItems) -> None:
    """The next start reads the topic from its beginning. No list is published until this is done."""
    world, service = many.world, many.world.service
    service.start()
    service.wait_until_ready()
    wait_for(lambda: all(map(many.in_store, ("m0", "m7", "m2999"))), why="items are published")
    assert service.stop() == 0
    gone = set(world.items_for("alice", "movies")[:3]) | {"m7", "m2999"}
    keys = [name.encode() for name in gone]
    many.topic.send(*((key, None) for key in keys))
    many.topic.compact_away(*keys)
    service.start()
    wait_for(lambda: many.said("it is read anew"), why="reading anew has begun")
    service.kill()
    assert not many.said("was read anew")
    assert many.in_store("m7")
    service.start()
    service.wait_until_ready()
    (done,) = wait_for(lambda: many.said("was read anew"), why="reading anew is done")
    assert (done["items"], done["removed"]) == (MANY + 1 - len(gone), len(gone))
    wait_for(lambda: not any(map(many.in_store, gone)), why="removed items lose their keys")
    wait_for(lambda: not gone & set(world.items_for("alice", "movies")), why="and their places on lists")
    assert many.in_store("m8")
    assert service.stop() == 0
