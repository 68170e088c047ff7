"""Damage on disk is noticed, and a crash at any moment leaves a usable checkpoint."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from models.state import checkpoint
from models.state.checkpoint import CheckpointDirectory, Manifest, UnusableError
from models.state.durable_files import checksum
from models.state.snapshot import snapshot
from tests.support.learners.checkpointers import Disk


def saved(path: Path, *numbers: int) -> CheckpointDirectory:
    directory = CheckpointDirectory(path)
    for n in numbers:
        directory.save(snapshot({"n": n, "a": np.arange(n)}))
    return directory


def folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.name.isdigit())


# Round trips


# The folder


def test_empty_folder(tmp_path: Path) -> None:
    """Without a checkpoint there is no state and no problem; the folder is created."""
    assert CheckpointDirectory(tmp_path / "a" / "b").load() == (None, [])
    assert (tmp_path / "a" / "b").is_dir()


def test_newest_wins_and_three_are_kept(tmp_path: Path) -> None:
    """The last three checkpoints stay, and the last one is loaded."""
    saved(tmp_path, 1, 2, 3, 4, 5)
    assert [int(p.name) for p in folders(tmp_path)] == [3, 4, 5]
    state, _ = CheckpointDirectory(tmp_path).load()
    assert state is not None
    assert state["n"] == 5


def test_sequence_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Numbers are never used twice, and their order holds beyond twelve digits."""
    saved(tmp_path, 1, 2)
    saved(tmp_path, 3)
    assert [int(p.name) for p in folders(tmp_path)] == [1, 2, 3]


def damage_bytes(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.msgpack", "manifest.json"])
@pytest.mark.parametrize("damage", [damage_bytes, truncate, empty, Path.unlink])
def test_a_damaged_newest_falls_back(tmp_path: Path, name: str, damage: Any) -> None:
    """After a flipped bit, a cut, an empty or a missing file the checkpoint before is used, and the damage reported."""
    saved(tmp_path, 1, 2)
    damage(folders(tmp_path)[-1] / name)
    state, problems = CheckpointDirectory(tmp_path).load()
    assert state is not None
    assert state["n"] == 1
    assert len(problems) == 1
    assert "000000000002" in problems[0]


def test_after_a_fall_back_the_next_is_newest(tmp_path: Path) -> None:
    """A new checkpoint does not overwrite the damaged one, and is the one that counts."""
    saved(tmp_path, 1, 2)
    empty(folders(tmp_path)[-1] / "manifest.json")
    saved(tmp_path, 7)
    state, problems = CheckpointDirectory(tmp_path).load()
    assert state is not None
    assert (state["n"], problems) == (7, [])


def test_all_damaged_is_unusable(tmp_path: Path) -> None:
    """Unreadable checkpoints are an error, because starting without them would learn everything twice."""
    saved(tmp_path, 1, 2)
    for folder in folders(tmp_path):
        truncate(folder / "state.msgpack")
    with pytest.raises(UnusableError, match=r"no checkpoint in .* can be read"):
        CheckpointDirectory(tmp_path).load()


def changed(folder: Path, **fields: Any) -> None:
    """Change a checkpoint's manifest."""
    path = folder / "manifest.json"
    manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, **fields)))


def test_another_schema_is_refused(tmp_path: Path) -> None:
    """A newest checkpoint of another schema stops; an older one is not silently used."""
    saved(tmp_path, 1, 2)
    changed(folders(tmp_path)[-1], schema=99)
    with pytest.raises(UnusableError, match="Install the version of Crosscurrent that wrote it, or move"):
        CheckpointDirectory(tmp_path).load()


def test_a_checkpoint_of_the_schema_before_is_read(tmp_path: Path) -> None:
    """Its checksums are BLAKE2b: it is used, its damage is noticed, and an increment may follow it."""
    saved(tmp_path, 1, 2)
    for folder in folders(tmp_path):
        early = {
            name: checksum(folder / name, like="0" * 64) for name in ("tensors.safetensors", "state.msgpack")
        }
        changed(folder, schema=4, checksums=early)
    directory = CheckpointDirectory(tmp_path)
    state, problems = directory.load()
    assert state is not None
    assert (state["n"], problems) == (2, [])
    directory.save(snapshot({"n": 3}, increment=True))
    after, _ = CheckpointDirectory(tmp_path).load()
    assert after is not None
    assert after["n"] == 3
    truncate(folders(tmp_path)[1] / "state.msgpack")
    shutil.rmtree(folders(tmp_path)[-1])
    older, problems = CheckpointDirectory(tmp_path).load()
    assert older is not None
    assert older["n"] == 1
    assert "checksum differs" in problems[0]


@pytest.mark.parametrize("versions", [{"river": "0.1", "torch": "1.0"}, {}])
def test_other_libraries_versions_are_taken_up(tmp_path: Path, versions: dict[str, str]) -> None:
    """A checkpoint of other versions of River and torch is used, and the versions are reported."""
    saved(tmp_path, 1, 2)
    changed(folders(tmp_path)[-1], versions=versions)
    directory = CheckpointDirectory(tmp_path)
    state, problems = directory.load()
    assert state is not None
    assert (state["n"], problems, directory.written_by) == (2, [], versions)
    directory.save(snapshot({"n": 3}, increment=True))
    again = CheckpointDirectory(tmp_path)
    after, _ = again.load()
    assert after is not None
    assert after["n"] == 3
    assert again.written_by == checkpoint.versions()


@pytest.mark.parametrize(
    "files", [[], ["tensors.safetensors"], ["tensors.safetensors", "state.msgpack", "manifest.json"]]
)
def test_a_crash_while_writing_leaves_the_last_one(tmp_path: Path, files: list[str]) -> None:
    """A half-written folder, even one that lacks only its rename, is no checkpoint and is cleared away."""
    saved(tmp_path, 1)
    leftover = tmp_path / "writing-000000000002"
    leftover.mkdir()
    for name in files:
        shutil.copy(folders(tmp_path)[0] / name, leftover / name)
    state, problems = CheckpointDirectory(tmp_path).load()
    assert state is not None
    assert (state["n"], problems) == (1, [])
    assert not leftover.exists()
    saved(tmp_path, 5)
    assert [int(p.name) for p in folders(tmp_path)] == [1, 2]


def test_a_crash_while_clearing_old_ones(tmp_path: Path) -> None:
    """An old checkpoint that was half deleted does not matter."""
    saved(tmp_path, 1, 2, 3)
    (folders(tmp_path)[0] / "manifest.json").unlink()
    state, problems = CheckpointDirectory(tmp_path).load()
    assert state is not None
    assert (state["n"], problems) == (3, [])
    saved(tmp_path, 4)
    assert [int(p.name) for p in folders(tmp_path)] == [2, 3, 4]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """The lock file and an operator's notes are no checkpoints."""
    (tmp_path / "LOCK").write_text("")
    (tmp_path / "123").write_text("a file with a number for a name")
    (tmp_path / "notes").mkdir()
    assert CheckpointDirectory(tmp_path).load() == (None, [])
    saved(tmp_path, 1, 2, 3, 4)
    assert (tmp_path / "LOCK").exists()
    assert (tmp_path / "123").exists()
    assert (tmp_path / "notes").exists()


def test_a_full_disk_is_an_oserror(tmp_path: Path) -> None:
    """A write that fails raises OSError and leaves the earlier checkpoint as the newest."""
    disk = Disk()
    directory = CheckpointDirectory(tmp_path, write_file=disk.write_file)
    directory.save(snapshot({"n": 1}))
    disk.errno = errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        directory.save(snapshot({"n": 2}))
    disk.errno = 0
    state, problems = CheckpointDirectory(tmp_path).load()
    assert state is not None
    assert (state["n"], problems) == (1, [])
    directory.save(snapshot({"n": 3}))
    state, _ = directory.load()
    assert state == {"n": 3}
