"""History in files, no event in the log: pretrain, run, and a historic user's list is in the store."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

from consumers.simulator.event_stream import Simulator
from consumers.simulator.output import write_files
from consumers.simulator.world_settings import DomainSpec, WorldSettings
from tests.support.service.running import wait_for
from tests.support.service.service_world import World


def history(folder: Path) -> list[dict[str, str]]:
    """Write 150 events with event_ids into `interactions.csv`; return the rows."""
    domains = (DomainSpec("movies", users=20, items=30), DomainSpec("books", users=20, items=30))
    write_files(Simulator(WorldSettings(domains, events=150)), folder)
    with gzip.open(folder / "interactions.csv.gz", "rt") as file:
        rows = [row | {"event_id": f"h{n}"} for n, row in enumerate(csv.DictReader(file))]
    with (folder / "interactions.csv").open("w") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


def test_a_pretrained_service_publishes_historic_users_and_learns_on(world: World, tmp_path: Path) -> None:
    """The store has lists, counts and popular items of the history. A repeated event_id is skipped."""
    rows = history(tmp_path)
    config, out = str(world.service.config), tmp_path / "checkpoints"  # as in the config
    words = [
        "pretrain", "-c", config, "--interactions", str(tmp_path / "interactions.csv"),
        "--items", str(tmp_path / "items.csv.gz"), "--out", str(out), "--json", str(tmp_path / "f.json"),
    ]  # fmt: skip
    done = world.service.command(*words)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads((tmp_path / "f.json").read_text())
    assert (report["events"], report["held_out"], report["dropped"]) == (150, 30, 0)
    assert Path(report["checkpoint"]).parent == out

    world.service.start()
    world.service.wait_until_ready()
    user = rows[-1]["user_id"]
    mine = [r for r in rows if r["user_id"] == user]
    wait_for(lambda: world.counts(user) == len(mine), why="the historic user's counts")
    listed = wait_for(lambda: world.store.get(f"{world.prefix}:rec:{{{user}}}:books"), why="their list")
    items = {i["id"] for i in json.loads(listed)["items"]}
    assert items
    assert not items & {r["item_id"] for r in mine if r["domain"] == "books"}
    wait_for(lambda: world.store.exists(f"{world.prefix}:popular:books"), why="the popular list")
    assert world.learned() == 0

    last = mine[-1]
    world.rate(last["domain"], user, last["item_id"], 3, event_id=last["event_id"])
    world.rate("movies", user, "brand new", 3, event_id="later")
    world.producer.flush()
    wait_for(lambda: world.counts(user) == len(mine) + 1, why="the new event")
    wait_for(lambda: world.service.metric("crosscurrent_duplicates_total") == 1, why="the repeat skipped")
    assert world.learned() == 1
    assert world.service.stop() == 0
