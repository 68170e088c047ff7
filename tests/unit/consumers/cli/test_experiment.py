"""`crosscurrent experiment status`: from the checkpoints of all shards, in clear words if there is nothing to say."""

from __future__ import annotations

import json
from pathlib import Path

from consumers.config.loader import load
from consumers.events.record import Record
from consumers.sharing.layout import Layout
from models.state.checkpoint import CheckpointDirectory
from models.state.snapshot import snapshot
from tests.support.commands import Outcome, run
from tests.support.doubles import ListSource
from tests.support.service.pipelines import list_pipeline

T0 = 1_700_000_000_000
TEXT = """
[domains.movies]
[learner]
users = 256
items_per_domain = 32
[checkpoint]
directory = "{folder}/states"
"""
EXPERIMENT = """
[experiments.size]
arms.a = {}
arms.b = {publish.top = 10}
"""


def written(folder: Path, more: str = EXPERIMENT) -> Path:
    path = folder / "crosscurrent.toml"
    path.write_text(TEXT.replace("{folder}", str(folder)) + more)
    return path


def saved(config: Path, folder: Path, users: range) -> None:
    """Save the state of a process whose users were shown three items each. Two of three clicked the second one."""
    records = []
    for n, user in enumerate(users):
        shown = {"type": "impression", "user_id": f"u{user}", "items": ["x", "y", "z"]}
        click = {"type": "click", "user_id": f"u{user}", "item_id": "y"}
        for value in (shown, click) if n % 3 else (shown,):
            time = T0 + 1000 * len(records)
            data = json.dumps(value | {"timestamp": time}).encode()
            records.append(Record("interactions.movies", 0, len(records), time, f"u{user}".encode(), data))
    source = ListSource(records)
    running = list_pipeline(load(config), source)
    running.restore()
    while not source.exhausted or len(running.batcher):
        running.step()
        if source.exhausted and (batch := running.batcher.take(flush=True)) is not None:
            running.learning.learn(batch)
    folder.mkdir(parents=True)
    CheckpointDirectory(folder).save(snapshot(running.live()))


def status(config: Path, *words: str) -> Outcome:
    return run("experiment", "status", "-c", str(config), *words)


def test_shards_are_added_up(tmp_path: Path) -> None:
    """200 users in two shards; then one of the shards is not there."""
    config, root = written(tmp_path), tmp_path / "states"
    root.mkdir()
    layout = Layout(1, 2, {"interactions.movies": 2})
    layout.save(root)
    for shard in range(2):
        saved(config, layout.shard(root, shard), range(100 * shard, 100 * shard + 100))
    file = tmp_path / "status.json"
    code, text = status(config, "--json", str(file))
    assert code == 0
    assert "b against a: open; lift " in text
    assert "units come as planned" in text
    found = json.loads(file.read_text())
    assert (found["shards"], found["read"], found["changed"]) == (2, 2, [])
    (one,) = found["experiments"]
    assert sum(arm["units"] for arm in one["arms"]) == 200
    for arm in one["arms"]:
        assert arm["impressions"] == arm["units"] > arm["clicks"] > 0
        assert (arm["items"], arm["coverage"]) == ({"movies": 3}, {"movies": 1.0})
    layout.shard(root, 1).rename(tmp_path / "away")
    assert "only 1 of 2 shards have a checkpoint here" in status(config).text


def test_another_definition_than_the_service_counts_by(tmp_path: Path) -> None:
    """It says so, and does not show the totals of the old one."""
    config = written(tmp_path)
    saved(config, tmp_path / "states", range(3))
    written(tmp_path, EXPERIMENT.replace("10", "20"))
    code, text = status(config)
    assert code == 0
    assert "has not started with this definition yet" in text
    assert "each arm needs 50 units" in text


def test_an_explanation_names_the_arm(tmp_path: Path) -> None:
    """Because it explains the list that would be made without the experiment."""
    config = written(tmp_path)
    saved(config, tmp_path / "states", range(4))
    (one,) = load(config).live_experiments()
    asked = ("explain", "-c", str(config), "-u", "u3", "-i", "y", "-d", "movies")
    assert f"experiment size: {one.arm('u3', 'movies', T0)};" in run(*asked).text
    assert "experiment" not in run(*asked[:2], str(written(tmp_path, "")), *asked[3:]).text


def test_nothing_to_say(tmp_path: Path) -> None:
    """No checkpoint, no such experiment, no experiment at all."""
    config = written(tmp_path)
    code, text = status(config)
    assert (code, "there is no checkpoint yet" in text) == (2, True)
    code, text = status(config, "--name", "sise")
    assert (code, "no such experiment; it has size" in text) == (2, True)
    code, text = status(written(tmp_path, ""))
    assert (code, "the config has no [experiments]" in text) == (0, True)
