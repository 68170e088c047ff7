"""`crosscurrent rescale`: what it says, what it refuses, and that a refusal changes nothing."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from consumers.cli.main import _run, cli
from consumers.errors import STATE_UNUSABLE, USAGE, Stop
from consumers.rescaling.run import RescaleOptions, rescale
from consumers.service.saving.directory_lock import locked
from consumers.sharing.layout import load_layout
from models.state.checkpoint import CheckpointDirectory
from tests.support.learners.states import differences
from tests.support.log.user_log import learn_and_stop, settings_of, shards_of, user_log

torch.set_num_threads(1)

LOG = user_log(200)
CONFIG = """
[domains.movies]
[domains.books]
role = "target"
[kafka]
forget_topic = "forget"
[learner]
users = 64
items_per_domain = 64
"""


class World:
    """A checkpoint directory, a config, and the command."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.config, self.capsys = folder / "checkpoints", folder / "config.toml", capsys
        self.config.write_text(f'{CONFIG}[checkpoint]\ndirectory = "{self.root}"\n')

    def learn(self) -> None:
        learn_and_stop(shards_of(self.root, LOG))

    def run(self, *words: str) -> tuple[int, str]:
        """Run it without a broker. Return the exit code, and what was printed."""

        def command(standalone_mode: bool) -> Any:
            return cli(
                ["rescale", *words, "--offline", "-c", str(self.config)], standalone_mode=standalone_mode
            )

        self.capsys.readouterr()
        code = _run(command)
        return code, "".join(self.capsys.readouterr())


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> World:
    return World(tmp_path, capsys)


def test_it_says_what_it_does(world: World, tmp_path: Path) -> None:
    world.learn()
    figures = tmp_path / "figures.json"
    code, said = world.run("--count", "2", "--json", str(figures))
    assert code == 0, said
    for line in (
        f"read {world.root}: 40 users",
        "everything but users is taken from .",
        "wrote layout-1/shard-0: ",
        "epoch 1 counts now: 2 shards, 40 users",
        f"set shards.count = 2 and start all; later remove the old checkpoints: {world.root}/0*",
    ):
        assert line in said
    made = json.loads(figures.read_text())
    assert (made["epoch"], made["count"], sum(made["users"]), made["parents"]) == (1, 2, 40, ["."])
    code, said = world.run("--count", "4", "--base", "1")
    assert code == 0
    assert "everything but users is taken from layout-1/shard-1" in said
    assert f"{world.root}/layout-1/shard-0, {world.root}/layout-1/shard-1" in said


def newest(folder: Path) -> dict[str, Any]:
    state, _ = CheckpointDirectory(folder, read_only=True).load()
    assert state is not None
    return state


def test_the_trainer_begins_with_the_network_of_the_shards(world: World) -> None:
    """It has their weights, items and texts, and no users. It reads no events, and the same facts next."""
    world.learn()
    assert world.run("--count", "2")[0] == 0
    shard, trainer = (newest(world.root / "layout-1" / name) for name in ("shard-0", "network"))
    ours, theirs = trainer["arms"]["full"], shard["arms"]["full"]
    assert len(theirs["users"]["ids"]) > len(ours["users"]["ids"]) == 0
    assert differences(ours["network"]["network"], theirs["network"]["network"]) == []
    assert differences(ours["catalogues"], theirs["catalogues"]) == []
    assert trainer["shards"] == {name: shard["shards"][name] for name in ("applied", "facts")}
    assert {topic.split(".")[0] for topic, *_ in trainer["offsets"]} == {"items"}
    assert not any(trainer["outbox"][name] for name in ("users", "items", "left"))


def test_the_trainer_goes_on_from_its_own_checkpoints(world: World) -> None:
    world.learn()
    assert world.run("--count", "2")[0] == 0
    own = world.root / "layout-1" / "network"
    (own / "LOCK").touch()
    (own / "its own").write_text("kept")
    assert world.run("--count", "4")[0] == 0
    copied = world.root / "layout-2" / "network"
    assert {path.name for path in copied.iterdir()} == {path.name for path in own.iterdir()} - {"LOCK"}
    assert (copied / "its own").read_text() == "kept"


def test_it_refuses_while_a_shard_runs(world: World) -> None:
    world.learn()
    with locked(world.root / "LOCK"):
        code, said = world.run("--count", "2")
    assert (code, "another process uses it. Stop all shards" in said) == (STATE_UNUSABLE, True), said
    assert world.run("--count", "2")[0] == 0
    with locked(world.root / "layout-1" / "shard-1" / "LOCK"):
        code, said = world.run("--count", "3")
    assert (code, "layout-1/shard-1: another process uses it" in said) == (STATE_UNUSABLE, True), said
    layout = load_layout(world.root)
    assert layout is not None
    assert layout.epoch == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--count", "9"), USAGE, "have 8 partitions, and each shard needs one"),
        (("--count", "0"), USAGE, "Invalid value for '--count'"),
        (("--count", "2", "--base", "1"), USAGE, "--base 1: there are shards 0 to 0"),
        ((), USAGE, "Missing option '--count'"),
    ],
)
def test_errors_of_usage(world: World, words: tuple[str, ...], code: int, said: str) -> None:
    world.learn()
    assert (found := world.run(*words))[0] == code
    assert said in found[1]
    assert load_layout(world.root) is None


def test_there_must_be_checkpoints(world: World) -> None:
    code, said = world.run("--count", "2")
    assert (code, "is not there" in said) == (USAGE, True)
    world.root.mkdir()
    code, said = world.run("--count", "2")
    assert (code, "holds no checkpoint" in said) == (STATE_UNUSABLE, True)


def test_every_shard_must_be_there(world: World) -> None:
    world.learn()
    world.run("--count", "2")
    (world.root / "layout-1" / "shard-1").rename(world.root / "elsewhere")
    code, said = world.run("--count", "3")
    assert (code, "layout-1/shard-1 is not there" in said) == (USAGE, True)


def test_a_state_of_another_config_does_not_fit(world: World) -> None:
    world.learn()
    world.config.write_text(world.config.read_text().replace("movies", "music").replace("books", "games"))
    code, said = world.run("--count", "2", "--partitions", "8")
    assert (code, "does not fit this config" in said) == (STATE_UNUSABLE, True), said


def test_a_damaged_state_does_not_fit(world: World) -> None:
    world.learn()
    for path in world.root.glob("0*/state.msgpack"):
        path.write_bytes(b"")
    code, said = world.run("--count", "2")
    assert (code, "can be read" in said) == (STATE_UNUSABLE, True), said


def test_without_room_nothing_is_left(world: World) -> None:
    world.learn()

    def full(_path: Path, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(Stop, match="No space left on device") as caught:
        rescale(settings_of(world.root), RescaleOptions(2), lambda _: None, full)
    assert caught.value.code == STATE_UNUSABLE
    assert not any(world.root.glob("*layout*"))
    assert world.run("--count", "2")[0] == 0


def test_the_help_has_an_example(world: World) -> None:
    code, said = world.run("--help")
    assert code == 0
    assert "crosscurrent rescale -c crosscurrent.toml --count 4" in said
