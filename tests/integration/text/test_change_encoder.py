"""The runbook's page "Change the encoder" works, on a real broker and a real store, step by step."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.config.loader import load
from consumers.errors import STATE_UNUSABLE
from models.state.checkpoint import CheckpointDirectory
from models.text.projection import Projection
from tests.support.service.running import wait_for
from tests.support.service.service_world import DOMAINS, World
from tests.support.text.embedding_servers import FaultyServer

TOPICS = ("space star ship", "cook kitchen garlic", "war soldier front", "love heart summer")
ITEMS, USERS, EVENTS, WIDTH = 120, 12, 360, 48
TOP = 10


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer(WIDTH) as made:
        yield made


@pytest.fixture(scope="module")
def bootstrap(one_bootstrap: str) -> str:
    """Return one broker. `test_item_texts.py` reads the topics of items on each."""
    return one_bootstrap


@pytest.fixture
def learned(world: World) -> World:
    """Return a stopped service with the encoder `hashing`, whose users each like one topic of four."""
    fill(world)
    world.service.start()
    world.service.wait_until_ready()
    wait_for(lambda: world.learned() == EVENTS, why="all learned")
    wait_for(lambda: len(lists(world)) == 2 * USERS, why="all lists published")
    return world


def title(n: int) -> str:
    return f"{TOPICS[n % 4]} number{n}"


def fill(world: World) -> None:
    rng = np.random.default_rng(0)
    for domain in DOMAINS:
        for n in range(ITEMS):
            world.item(domain, f"{domain[0]}{n}", title=title(n))
    for n in range(EVENTS):
        domain, user, item = ("movies", "books")[n % 2], n // 2 % USERS, int(rng.integers(ITEMS))
        if n % 8:  # mostly what the user likes
            item = item // 4 * 4 + user % 4
        value = 5 if item % 4 == user % 4 else 1.5
        world.rate(domain, f"u{user}", f"{domain[0]}{item}", value, event_id=f"e{n}")
    world.producer.flush()


def lists(world: World) -> dict[tuple[str, str], list[str]]:
    """Return the published lists' first items, by user and domain."""
    found = {(f"u{n}", d): world.items_for(f"u{n}", d)[:TOP] for n in range(USERS) for d in DOMAINS}
    return {key: items for key, items in found.items() if items}


def overlap(one: dict[Any, list[str]], two: dict[Any, list[str]]) -> float:
    return float(np.mean([len(set(one[key]) & set(two[key])) / len(one[key]) for key in one]))


def liked(shown: dict[tuple[str, str], list[str]]) -> float:
    """Return the share of listed items of the topic that their user likes; 1/4 is chance."""
    hits = [int(item[1:]) % 4 == int(user[1:]) % 4 for (user, _), items in shown.items() for item in items]
    return float(np.mean(hits))


def newest(world: World) -> dict[str, Any]:
    config = load(world.service.config)
    state, _ = CheckpointDirectory(Path(config.checkpoint.directory), read_only=True).load()
    assert state is not None
    return state


def switch(world: World, server: FaultyServer, **more: Any) -> None:
    """Write the new encoder into the config."""
    keys = {"model": server.url, "name": "words", "batch": 16, **more}
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    with world.service.config.open("a") as file:
        file.write("\n".join(["\n[text_encoder]", *lines, ""]))


def change(world: World, *options: str) -> subprocess.CompletedProcess[str]:
    return world.service.command("change-encoder", "-c", str(world.service.config), *options)


def assert_unmixed(state: dict[str, Any], server: FaultyServer) -> None:
    """Every item vector is the projection, by the state's own basis, of the new encoder's vector of its title."""
    full = state["arms"]["full"]
    projection = Projection(64, 16, full["domains"])
    projection.load(full["projection"])
    assert projection.width == WIDTH
    for name, catalogue in zip(full["domains"], full["catalogues"], strict=True):
        assert catalogue["has_vector"].sum() == ITEMS
        for row in np.flatnonzero(catalogue["has_vector"]):
            raw = np.array(server.vector(catalogue["title_of"][row]))
            raw = (raw / np.linalg.norm(raw)).astype(np.float32)
            wanted = projection.basis.project(name, raw[None])[0]
            assert np.allclose(catalogue["vectors"][row], wanted, atol=1e-5)


@pytest.mark.soak
def test_the_page_works_step_by_step(learned: World, server: FaultyServer) -> None:
    """Prepare beside the service, stop, change, start: lists stay sensible, nothing mixes, no event is lost."""
    world, before = learned, lists(learned)
    events = newest(world)["arms"]["full"]["learned"]
    switch(world, server)
    prepare_beside_the_service(world, server)
    assert world.service.stop() == 0
    start_is_refused(world)
    state = change_it(world, server)
    assert state["arms"]["full"]["learned"] == events
    start_and_compare(world, before)
    a_new_item_goes_the_new_way(world, server)
    assert sum(newest(world)["arms"]["full"]["learned"]) == sum(events) + 1
    again = change(world)
    assert again.returncode == 0
    assert "already; --force" in again.stdout


def prepare_beside_the_service(world: World, server: FaultyServer) -> None:
    """Step 2: the vectors are kept; the change itself must wait for the service to stop."""
    prepared = change(world, "--prepare")
    assert prepared.returncode == 0, prepared.stderr
    assert "their vectors are kept" in prepared.stdout
    assert set(server.texts) == {title(n) for n in range(ITEMS)}
    busy = change(world)
    assert busy.returncode == STATE_UNUSABLE
    assert "--prepare" in busy.stderr


def start_is_refused(world: World) -> None:
    """A start before the change ends with exit code 4 and names the command."""
    world.service.start()
    assert world.service.process is not None
    assert world.service.process.wait(60) == STATE_UNUSABLE
    assert "crosscurrent change-encoder" in world.service.log.read_text()


def change_it(world: World, server: FaultyServer) -> dict[str, Any]:
    """Step 4: no text is asked for again. Return the new state."""
    asked, file = len(server.requests), world.service.log.with_name("changed.json")
    done = change(world, "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == asked
    figures = json.loads(file.read_text())
    assert (figures["before"], figures["now"], figures["items"]) == ("hashing", "served words", 2 * ITEMS)
    assert (figures["by_title"], figures["without"]) == (0, 0)
    assert figures["explained"] > 0.3
    state = newest(world)
    assert_unmixed(state, server)
    return state


def start_and_compare(world: World, before: dict[tuple[str, str], list[str]]) -> None:
    """Step 5: everything is published again, and lists are much like those of before."""
    world.store.delete(*world.store.keys(f"{world.prefix}:rec:*"))
    world.service.start()
    world.service.wait_until_ready()
    wait_for(lambda: len(lists(world)) == 2 * USERS, why="all lists published again")
    after = lists(world)
    told = f"overlap {overlap(before, after):.2f}, liked {liked(before):.2f} before, {liked(after):.2f} after"
    assert overlap(before, after) > 0.5, told
    assert liked(before) > 0.5, told
    assert liked(after) > liked(before) - 0.1, told


def a_new_item_goes_the_new_way(world: World, server: FaultyServer) -> None:
    """Later items are encoded by the new encoder, and only they."""
    asked, new = len(server.requests), "space star ship number900"
    world.rate("movies", "u0", "m1", 4)
    world.item("movies", "m900", title=new)
    world.producer.flush()
    wait_for(lambda: new in server.texts and world.learned() == 1, why="the new title is encoded")
    assert world.service.stop() == 0
    assert len(server.requests) == asked + 1


@pytest.mark.soak
def test_a_killed_change_goes_on_where_it_was(learned: World, server: FaultyServer) -> None:
    """Killed while it encodes, the command has changed nothing. Repeated, it asks for what is missing only."""
    world = learned
    assert world.service.stop() == 0
    switch(world, server)
    server.slow = 0.5
    command = [sys.executable, "-m", "consumers.cli", "change-encoder", "-c", str(world.service.config)]
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: len(server.requests) >= 3, why="three requests")
    killed.send_signal(signal.SIGKILL)
    killed.wait(30)
    assert newest(world)["text_encoder"] == "hashing"
    server.slow = 0.0
    done = change(world)
    assert done.returncode == 0, done.stderr
    asked = Counter(server.texts)
    assert set(asked) == {title(n) for n in range(ITEMS)}
    assert asked.total() - len(asked) <= 16  # the request that was under way
    assert_unmixed(newest(world), server)


def test_a_server_that_is_away_stops_the_command_and_changes_nothing(
    learned: World, server: FaultyServer
) -> None:
    """After some tries the command ends with one line that names the remedy. The old encoder still starts."""
    world = learned
    assert world.service.stop() == 0
    before = world.service.config.read_text()
    switch(world, server)
    server.fault = lambda _: (401, {}, {})
    failed = change(world)
    assert failed.returncode == 2
    assert "text_encoder.api_key_file" in failed.stderr
    assert "Traceback" not in failed.stderr
    world.service.config.write_text(before)
    world.service.start()
    world.service.wait_until_ready()
    assert world.service.stop() == 0
