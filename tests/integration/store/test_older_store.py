"""A store that comes back older gets the values that it lacks, and loses the keys that were deleted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import redis

from consumers.demo.embedded_servers import Store
from serving.contract import Keys, Write, hash_write
from serving.store.publisher import Publisher
from serving.store.redis_store import open_store
from tests.support.service.faults import USERS, Watch
from tests.support.service.running import wait_for
from tests.support.service.service_world import World

pytestmark = pytest.mark.timeout(400)  # several starts, on a machine that may be busy

KEYS = Keys("cc")
STARTED = 1_700_000_000_000
PATIENCE = 30.0


class SavedStore(Store):
    """A store whose `save` writes a snapshot, and which comes back with that after `kill -9`."""

    def __init__(self, folder: Path, kind: Literal["redis", "valkey"] | None = None) -> None:
        super().__init__(kind, log_dir=folder)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, legacy_responses=False)

    def save(self) -> None:
        with self.client() as client:
            client.save()

    def go_back(self) -> None:
        self.stop()
        self.start()


@pytest.fixture(params=["redis", "valkey"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SavedStore]:
    request.getfixturevalue(f"{request.param}_store")  # skips where there is none
    with SavedStore(tmp_path / "store", request.param) as made:
        yield made


def publisher(url: str, known: dict[str, Any] | None = None, started: int = STARTED) -> Publisher:
    made = Publisher(open_store(url, 0.5), KEYS.meta, started)
    made.start(known)
    return made


def publish(to: Publisher, *writes: Write) -> None:
    to.submit(writes)
    assert to.flush(PATIENCE)


def text(key: str) -> Write:
    return Write(key, "set", b"1")


def meta(started: int = STARTED) -> Write:
    return hash_write(KEYS.meta, {"started_ts": started, "schema": 1})


def marks(of: Publisher) -> dict[str, int]:
    """Return by key the mark of its last acknowledgement, for keys reported since the last call."""
    return {key: mark for mark, keys in of.acknowledged() for key in keys}


def test_the_loss_is_told_with_the_mark_up_to_which_nothing_is(store: SavedStore) -> None:
    """The loss is found in a quiet stream and under steady writes. A store that only restarts has lost nothing."""
    to = publisher(store.url)
    publish(to, meta(), text("a"))
    store.save()
    store.go_back()
    publish(to, text("b"))
    assert to.take_loss() is None
    store.save()
    held: dict[str, int] = {}
    for again in range(2):
        publish(to, text("c"))
        held |= marks(to)
        store.go_back()
        if again:
            publish(to, text("d"))
        assert to.store_lost.wait(PATIENCE)
        since = to.take_loss()
        assert since is not None
        assert held.get("b", 0) <= since < held["c"]
    assert to.take_loss() is None
    with store.client() as client:
        assert client.exists("a", "b", "c") == 2
    assert to.close()


def test_a_store_that_goes_back_again(store: SavedStore) -> None:
    """A second return, to before the first loss, is found as exactly as the first."""
    to = publisher(store.url)
    publish(to, meta(), text("a"))
    store.save()
    held = marks(to)
    for _ in range(2):
        publish(to, meta(), text("b"))
        store.go_back()
        assert to.store_lost.wait(PATIENCE)
        since = to.take_loss()
        assert since is not None
        assert held["a"] <= since < marks(to)["b"]
    assert to.close()


def test_killed_before_all_is_published_again(store: SavedStore) -> None:
    """With a checkpoint from before the loss the store must not seem complete, whatever was written since."""
    to = publisher(store.url)
    publish(to, meta(), text("a"))
    store.save()
    publish(to, text("b"))
    known = to.known_store()
    store.go_back()
    assert to.store_lost.wait(PATIENCE)
    publish(to, meta(), text("c"))
    assert to.close()
    after = publisher(store.url, known, STARTED + 1)
    assert after.take_loss() == 0
    assert after.close()


def test_the_loss_is_noticed_at_the_next_start(store: SavedStore) -> None:
    """A loss is found if the store went back while no service ran, or to before the service's start."""
    one = publisher(store.url)
    publish(one, meta(), text("a"))
    store.save()
    publish(one, text("b"))
    known = one.known_store()
    assert one.close()

    two = publisher(store.url, known, STARTED + 1)
    assert two.take_loss() is None
    publish(two, meta(STARTED + 1), text("c"))
    known = two.known_store()
    store.go_back()  # to before `b`, which the first one wrote
    assert two.store_lost.wait(PATIENCE)
    assert two.take_loss() == 0
    assert two.close()

    three = publisher(store.url, known, STARTED + 2)
    assert three.take_loss() == 0
    publish(three, meta(STARTED + 2))
    four = publisher(store.url, three.known_store(), STARTED + 3)
    assert four.take_loss() is None
    assert three.close()
    assert four.close()


def test_a_checkpoint_from_before_there_were_marks(store: SavedStore) -> None:
    """Such a checkpoint has `started_ts` alone, and the store has no mark. Nothing counts as lost."""
    from serving.store.store_mark import as_known

    with store.client() as client:
        client.hset(KEYS.meta, mapping={"started_ts": STARTED - 1})
    assert as_known(None) is None
    to = publisher(store.url, as_known(STARTED - 1))
    assert to.take_loss() is None
    assert to.close()


class Older(Watch):
    """Start a service on a store with snapshots."""

    def __init__(self, world: World, store: SavedStore) -> None:
        super().__init__(world)
        self.saved = store

    def user_keys(self, user: str) -> list[bytes]:
        return list(self.world.store.scan_iter(f"{self.world.prefix}:*{{{user}}}*"))


@pytest.fixture
def older(tmp_path: Path, one_bootstrap: str) -> Iterator[Older]:
    with SavedStore(tmp_path / "store") as store:
        world = World(tmp_path, one_bootstrap, store.url, f"os{os.getpid()}")
        try:
            made = Older(world, store)
            made.start()
            yield made
            assert "Traceback" not in world.service.log.read_text()
        finally:
            world.close()


def test_events_deletions_and_the_forgotten(older: Older) -> None:
    """The store is killed and started from a snapshot, first with the service up, then down. Each user has all events,
    and neither a removed item nor a forgotten user is there again."""
    world = older.world
    world.rate("books", "leaves", "b1", 4)
    world.producer.flush()
    wait_for(lambda: older.user_keys("leaves"), why="a user who will be forgotten")
    wait_for(lambda: world.store.exists(f"{world.prefix}:item:books:b7"), why="an item to be removed")
    older.expected["leaves"] += 1
    older.wait_until_caught_up()
    older.saved.save()

    older.produce(60)
    older.wait_until_caught_up()
    world.remove("books", "b7")
    world.producer.flush()
    del older.expected["leaves"]
    said = world.service.command("forget", "leaves", "--config", str(world.service.config), "--wait", "60")
    assert said.returncode == 0, said.stderr
    wait_for(lambda: not world.store.exists(f"{world.prefix}:item:books:b7"), why="the item is gone")
    wait_for(lambda: not older.user_keys("leaves"), why="the user is gone")

    for down in (False, True):
        if down:
            older.produce(5)
            wait_for(lambda: older.counts() == older.expected, why="published")
            assert world.service.stop() == 0
        older.saved.go_back()
        if down:
            assert older.counts() != older.expected
            assert world.store.exists(f"{world.prefix}:item:books:b7")
            assert older.user_keys("leaves")
            world.service.start()
            world.service.wait_until_ready()
        wait_for(lambda: older.counts() == older.expected, why=f"{older.expected} published again")
        wait_for(
            lambda: not world.store.exists(f"{world.prefix}:item:books:b7"), why="the item is gone again"
        )
        wait_for(lambda: not older.user_keys("leaves"), why="the user is gone again")
    assert len(older.expected) == USERS
    assert world.service.stop() == 0
