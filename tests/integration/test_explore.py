"""A service that explores, through a real broker and a real store: lists say how they were drawn, and shows teach."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest

from consumers.evaluation.impressions.line_format import ImpressionLine
from consumers.evaluation.impressions.logged_list import checked
from tests.support.service.service_world import World

pytestmark = pytest.mark.timeout(400)  # two starts, on a machine that may be busy

USERS = [f"v{n}" for n in range(40)]
LIKED, PLACES = "m13", 10


def send(world: World, user: str, **fields: Any) -> None:
    world.raw(
        "movies", user, json.dumps({"user_id": user, "timestamp": int(1000 * time.time())} | fields).encode()
    )


def listed(world: World, user: str | None) -> dict[str, Any] | None:
    """Return the list of a user, or the popular one, as the store holds it."""
    key = f"{world.prefix}:popular:movies" if user is None else f"{world.prefix}:rec:{{{user}}}:movies"
    data = world.store.get(key)
    return None if data is None else json.loads(data)


def _can_be_valued(held: dict[str, Any] | None) -> None:
    """A line of an impression, made of what the list holds, is one that `evaluate --impressions` reads."""
    assert held is not None
    shown, seen = [one["id"] for one in held["items"]], {"clicks": [1], "user_id": "u", "domain": "movies"}
    line = {"items": shown, "p": held["p"], "pool": held["pool"], "list_ts": held["published_ts"], **seen}
    logged = checked(msgspec.convert(line, ImpressionLine))  # it compares p with what the pool tells
    assert len(logged.order) == len(shown) <= len(held["pool"]["items"])
    assert held["pool"]["temperature"] == pytest.approx(0.1)


def test_lists_carry_their_probabilities_and_what_is_clicked_rises(world: World) -> None:
    """Each place has a probability; an item that all click who are shown it rises, and its appeal says so."""
    config = world.service.config
    config.write_text(config.read_text() + "\n[ranker]\nexplore = 1.0\n[publish]\npool = true\n")
    world.fill(60)
    for n, user in enumerate(USERS):
        send(world, user, type="click", item_id=f"m{n % 12}")
    world.producer.flush()
    world.service.start()
    world.service.wait_until_ready()
    world.service.wait_for(lambda: all(listed(world, user) for user in USERS), why="a list for each user")
    for user in (*USERS, None):
        held = listed(world, user)
        assert held is not None
        assert held["policy"] == "pl-1"
        assert len(held["p"]) == len(held["items"]) > 5
        assert all(0 < p <= 1 for p in held["p"])
    _can_be_valued(listed(world, USERS[0]))

    clicks = 0
    for user in USERS:
        held = listed(world, user)
        assert held is not None
        items = [one["id"] for one in held["items"][:PLACES]]
        items = items if LIKED in items else [*items[:4], LIKED, *items[4:]][:PLACES]
        send(world, user, type="impression", items=items, list_ts=held["published_ts"], event_id=f"p-{user}")
        send(world, user, type="click", item_id=LIKED, impression=f"p-{user}")
        clicks += 1
    world.producer.flush()

    def answered() -> bool:
        name = 'crosscurrent_impression_clicks_total{domain="movies",outcome="answered"}'
        return world.service.metric(name) == clicks

    world.service.wait_for(answered, why="all clicks answered")
    send(world, "newcomer", type="click", item_id="m0")
    world.producer.flush()

    def risen() -> bool:
        held = listed(world, "newcomer")
        if held is None:
            return False
        top = held["items"][:3]
        return any(one["id"] == LIKED and one["why"]["appeal"] > 0.1 for one in top)

    world.service.wait_for(risen, why="the liked item among the first three")
    held = listed(world, "newcomer")
    assert held is not None
    for one in held["items"][:5]:
        assert sum(one["why"].values()) == pytest.approx(one["score"], abs=1e-5)
    world.service.kill()
    world.service.start()
    world.service.wait_until_ready()
    send(world, "second", type="click", item_id="m1")
    world.producer.flush()

    def remembered() -> bool:
        found = listed(world, "second")
        return found is not None and any(
            i["id"] == LIKED and i["why"]["appeal"] > 0.1 for i in found["items"][:10]
        )

    world.service.wait_for(remembered, why="the appeal after kill -9")
