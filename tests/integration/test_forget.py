"""After `crosscurrent forget` no byte of checkpoints and store names the user, and old events stay out."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.service.running import wait_for
from tests.support.service.service_world import World

USER = "forget-me-please"


def in_store(world: World) -> list[bytes]:
    """Return every key of this world that names the user, or whose value does."""
    found = []
    for key in world.store.scan_iter(f"{world.prefix}:*", count=1000):
        held = world.store.dump(key)
        if USER.encode() in key or USER.encode() in (held or b""):
            found.append(key)
    return found


def in_files(folder: Path) -> list[str]:
    """Return the files that hold the user's id. If the service removes a file during the search, search again."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            paths = [Path(root, name) for root, _, names in os.walk(folder) for name in names]
            return [str(path) for path in paths if USER.encode() in path.read_bytes()]


def asked_to_forget(world: World, *words: str, env: dict[str, str] | None = None) -> Any:
    """Run `crosscurrent forget` for the user."""
    return world.service.command("forget", USER, "--config", str(world.service.config), *words, env=env)


@pytest.fixture
def known(world: World, tmp_path: Path) -> World:
    """Start a service that has learned, published and saved events of the user."""
    world.fill(40)
    for n in range(12):
        world.rate("movies" if n % 2 else "books", USER, f"{'mb'[n % 2 == 0]}{n}", 4, event_id=f"{USER}/{n}")
    world.producer.flush()
    world.service.start()
    world.service.wait_until_ready()
    wait_for(lambda: world.learned() == 52 and world.counts(USER) == 12, why="learned and published")
    wait_for(lambda: in_files(tmp_path / "checkpoints"), why="a checkpoint with the user")
    return world


def test_forget_a_user_while_run_is_up(known: World, tmp_path: Path) -> None:
    """The topic does not exist at first. The command creates it, and the running service finds it. What the user does
    after the request is learned as of someone new."""
    world, receipt_file = known, tmp_path / "receipt.json"
    # a key that the state does not know, like that of an evicted user
    world.store.set(f"{world.prefix}:rec:{{{USER}}}:domain-of-old", b"{}")
    done = asked_to_forget(world, "--json", str(receipt_file), "--wait", "40")
    assert done.returncode == 0, done.stderr
    receipt = json.loads(receipt_file.read_bytes())
    assert receipt["state"] == "erased", done.stdout
    assert receipt["store_keys_deleted"] == 3
    assert f"interactions.{world.prefix}.movies" in receipt["expire_yourself"]
    assert f"{world.prefix}.dead" in receipt["expire_yourself"]
    assert USER not in done.stdout + receipt_file.read_text()
    wait_for(lambda: not in_store(world), why="the store without the user")
    assert not in_files(tmp_path / "checkpoints")
    assert USER not in world.service.log.read_text()

    before = int(time.time() * 1000) - 60_000
    for _ in range(3):
        world.rate("movies", USER, "m7", 5, timestamp=before)
    world.rate("books", USER, "b9", 5)
    world.producer.flush()
    wait_for(lambda: world.service.metric("crosscurrent_forgotten_total") == 3, why="late events are dropped")
    wait_for(lambda: world.counts(USER) == 1, why="the event after the request is learned")
    assert set(world.store.hgetall(f"{world.prefix}:user:{{{USER}}}")) >= {b"vector", b"events:books"}
    assert b"events:movies" not in world.store.hgetall(f"{world.prefix}:user:{{{USER}}}")


def test_forget_a_user_while_nothing_runs(known: World, tmp_path: Path) -> None:
    """The request waits in the log, and the next start reads it before any event."""
    world = known
    assert world.service.stop() == 0
    done = asked_to_forget(world, env=os.environ | {"CROSSCURRENT_REDIS__URL": "redis://127.0.0.1:1"})
    assert done.returncode == 2
    assert "the request is in the log" in done.stderr
    assert in_store(world)
    done = asked_to_forget(world, "--wait", "0")
    assert "has not read the request yet" in done.stdout
    assert not in_store(world)
    world.service.start()
    world.service.wait_until_ready()
    wait_for(lambda: not in_files(tmp_path / "checkpoints"), why="a checkpoint without the user")
    assert not in_store(world)
    assert world.learned() == 0
    assert world.service.stop() == 0
