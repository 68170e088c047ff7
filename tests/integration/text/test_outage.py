"""While the text encoder's server is away, events go on and items wait; afterwards nothing is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.config.loader import load
from models.state.checkpoint import CheckpointDirectory
from tests.support.service.running import wait_for
from tests.support.service.service_world import World
from tests.support.text.embedding_servers import FaultyServer, refusal

KEY = "sk-nobody-may-read-this"
TITLES = {f"Title {n} of {domain}" for n in range(20) for domain in ("movies", "books")}


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as made:
        yield made


@pytest.fixture(scope="module")
def bootstrap(one_bootstrap: str) -> str:
    """Return one broker: an encoder does not depend on its make."""
    return one_bootstrap


def test_a_server_that_is_away(world: World, server: FaultyServer, tmp_path: Path) -> None:
    """The service stays ready, tells by metric and log, asks again, and asks for nothing twice after a restart."""
    service, server.fault = world.service, refusal(503)
    (tmp_path / "key").write_text(KEY)
    keys = {"model": server.url, "name": "words", "api_key_file": str(tmp_path / "key"), "batch": 8}
    with service.config.open("a") as file:
        file.write("\n".join(["\n[text_encoder]", *(f"{k} = {json.dumps(v)}" for k, v in keys.items()), ""]))
    world.fill(60)
    service.start()
    service.wait_until_ready()
    wait_for(lambda: world.learned() == 60, why="all events learned")
    wait_for(lambda: service.metric("crosscurrent_text_encoder_failures_total") >= 2, why="failures counted")
    assert service.metric("crosscurrent_texts_waiting") == 40
    assert service.get("/readyz")[0] == 200
    assert world.items_for("u1", "movies")
    log = service.log.read_text()
    assert log.count("item texts wait, events go on") == 1  # once, not with every try
    assert "it answers 503" in log
    assert service.stop() == 0  # waiting texts are in the checkpoint
    service.start()
    service.wait_until_ready()
    server.fault = None
    wait_for(lambda: service.metric("crosscurrent_texts_waiting") == 0, why="all encoded")
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert service.stop() == 0
    config = load(service.config)
    state, _ = CheckpointDirectory(Path(config.checkpoint.directory), read_only=True).load()
    assert state is not None
    assert [int(part["has_vector"].sum()) for part in state["arms"]["full"]["catalogues"]] == [20, 20]
    for folder in Path(config.checkpoint.directory).iterdir():  # the state is lost, the vectors are not
        if folder.name.isdigit():
            folder.rename(tmp_path / f"lost-{folder.name}")
    asked = len(server.requests)
    service.start()
    service.wait_until_ready()
    wait_for(lambda: world.learned() == 60, why="all learned again")
    wait_for(lambda: service.metric("crosscurrent_texts_waiting") == 0, why="all vectors from disk")
    assert service.stop() == 0
    assert len(server.requests) == asked
    assert set(server.texts) == TITLES
    everything = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "key"]
    assert KEY.encode() not in b"".join(everything)


def test_another_model_under_the_same_name(world: World, server: FaultyServer) -> None:
    """A server that gives vectors of another width than those of the state is told; they never meet."""
    service = world.service
    with service.config.open("a") as file:
        file.write(f'\n[text_encoder]\nmodel = "{server.url}"\nname = "words"\ncache_mb = 0\n')
    world.fill(30)
    service.start()
    service.wait_until_ready()
    wait_for(lambda: world.learned() == 30, why="all learned")
    wait_for(lambda: service.metric("crosscurrent_texts_waiting") == 0, why="all encoded")
    assert service.stop() == 0
    server.width = 24
    service.start()
    service.wait_until_ready()
    world.item("movies", "m77", title="a new title")
    world.producer.flush()
    wait_for(lambda: service.metric("crosscurrent_text_encoder_failures_total") >= 1, why="it is noticed")
    assert service.get("/readyz")[0] == 200
    assert service.metric("crosscurrent_texts_waiting") == 1
    log = service.log.read_text()
    assert "gives vectors of 24 numbers, and those of the state have 32" in log
    assert "crosscurrent change-encoder" in log
    assert service.stop() == 0
