"""Impressions through a real broker: counted on the page of metrics, kept over kill -9, and refused when broken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.service.running import wait_for
from tests.support.service.service_world import World

pytestmark = pytest.mark.timeout(400)  # two starts, on a machine that may be busy


def send(world: World, user: str, **fields: Any) -> None:
    world.raw("movies", user, json.dumps({"user_id": user, **fields}).encode())


def counted(world: World, name: str, outcome: str) -> float:
    """Return a counter of movies, 0 if it is not there."""
    return world.service.metric(f'crosscurrent_{name}_total{{domain="movies",outcome="{outcome}"}}')


def test_a_click_answers_what_was_shown_before_a_crash(world: World) -> None:
    """The impression comes before kill -9, the click while the service is down."""
    world.fill(30)
    for n in range(6):
        send(world, "ann", type="impression", items=[f"m{k}" for k in range(n, n + 5)], event_id=f"p{n}")
    send(world, "ann", type="impression", items=["m0"], event_id="p0")
    send(world, "ann", type="impression", items=[], event_id="p9")
    world.producer.flush()
    world.service.start()
    world.service.wait_until_ready()
    world.service.wait_for(lambda: counted(world, "impressions", "kept") == 6, why="six impressions")
    assert counted(world, "impressions", "duplicate") == 1
    (letter,) = world.dead_letters(1)
    assert dict(letter.headers)["reason"] == b"bad_items"
    world.service.kill()
    send(world, "ann", type="click", item_id="m3")
    send(world, "ann", type="click", item_id="m4", impression="p0", event_id="c")
    send(world, "ann", type="click", item_id="m4", impression="p0", event_id="c")
    send(world, "ann", type="click", item_id="m19", impression="p0")
    world.producer.flush()
    world.service.start()
    world.service.wait_until_ready()
    world.service.wait_for(lambda: counted(world, "impression_clicks", "answered") == 2, why="two answers")
    wait_for(lambda: counted(world, "impression_clicks", "missing") == 1, why="one that is missing")
    wait_for(lambda: world.counts("ann") == 3, why="three clicks of the user in the store")
    assert world.items_for("ann", "movies")
