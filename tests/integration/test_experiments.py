"""A live experiment through a real broker and a real store: lists by arm, outcome over kill -9, and its status."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from consumers.config.loader import load
from tests.support.service.running import wait_for
from tests.support.service.service_world import World

pytestmark = pytest.mark.timeout(400)  # two starts, on a machine that may be busy

USERS = [f"u{n}" for n in range(24)]
EXPERIMENT = """
[experiments.length]
domains = ["movies"]
arms.a = {}
arms.b = {publish.top = 3}
"""


def published(world: World, user: str, domain: str = "movies") -> dict[str, Any] | None:
    value = world.store.get(f"{world.prefix}:rec:{{{user}}}:{domain}")
    return None if value is None else json.loads(value)


def status(world: World, folder: Path) -> dict[str, Any]:
    """Return what the command says of the arms, by arm."""
    file = folder / "status.json"
    done = world.service.command("experiment", "status", "-c", str(world.service.config), "--json", str(file))
    if done.returncode:
        assert "no checkpoint yet" in done.stderr
        return {}
    assert "a against" not in done.stdout
    assert "b against a: open" in done.stdout
    (one,) = json.loads(file.read_text())["experiments"]
    return {arm["arm"]: arm for arm in one["arms"]}


def test_arms_have_lists_of_their_own_and_their_outcome_is_counted(world: World, tmp_path: Path) -> None:
    """Each user's list says its arm and obeys it; a click after kill -9 counts once; the other domain is left alone."""
    with world.service.config.open("a") as config:
        config.write(EXPERIMENT)
    (experiment,) = load(world.service.config).live_experiments()
    world.fill(30)
    for n, user in enumerate(USERS):
        world.rate("movies", user, f"m{n % 20}", 4)
        world.rate("books", user, f"b{n % 20}", 4)
    world.producer.flush()
    world.service.start()
    world.service.wait_until_ready()
    wait_for(lambda: all(published(world, user) for user in USERS), why="a list for everybody")
    arms = defaultdict[str, list[str]](list)
    for user in USERS:
        found = published(world, user)
        assert found is not None
        assert (found["experiment"], found["arm"]) == (
            "length",
            experiment.arm(user, "movies", found["published_ts"]),
        )
        assert len(found["items"]) == 3 if found["arm"] == "b" else len(found["items"]) > 3
        arms[found["arm"]].append(user)
        other = wait_for(lambda user=user: published(world, user, "books"), why="a list of books")
        assert not {"experiment", "arm"} & other.keys()
        items = [item["id"] for item in found["items"]]
        shown = {"type": "impression", "user_id": user, "items": items, "event_id": f"p{user}"}
        world.raw("movies", user, json.dumps(shown | {"list_ts": found["published_ts"]}).encode())
    world.producer.flush()
    assert min(len(users) for users in arms.values()) > 2
    policies = [
        f'crosscurrent_policy_impressions_total{{domain="movies",policy="length/{arm}"}}' for arm in "ab"
    ]
    world.service.wait_for(lambda: sum(map(world.service.metric, policies)) == len(USERS), why="impressions")
    wait_for(lambda: sum(arm["units"] for arm in status(world, tmp_path).values()) == len(USERS), why="saved")
    world.service.kill()
    for user in arms["b"]:
        item = json.loads(world.store.get(f"{world.prefix}:rec:{{{user}}}:movies"))["items"][0]["id"]
        for _ in range(2):
            click = {"type": "click", "user_id": user, "item_id": item, "event_id": f"c{user}"}
            world.raw("movies", user, json.dumps(click).encode())
    world.producer.flush()
    world.service.start()
    world.service.wait_until_ready()
    wait_for(lambda: status(world, tmp_path)["b"]["clicks"], why="clicks of an arm")
    wait_for(lambda: status(world, tmp_path)["b"]["clicks"] == len(arms["b"]), why="all clicks")
    found = status(world, tmp_path)
    for arm, users in arms.items():
        assert (found[arm]["units"], found[arm]["impressions"]) == (len(users), len(users))
        assert found[arm]["clicks"] == (len(users) if arm == "b" else 0)
    assert found["b"]["clicks_per_impression"] == found["b"]["clicked_on_top"] == 1.0
    assert found["b"]["items"]["movies"] >= 3
