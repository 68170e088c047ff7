"""State on disk: what goes in comes out, damage is noticed, and a crash at any moment leaves a usable checkpoint."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.state import checkpoint
from models.state.checkpoint import CheckpointDirectory, Manifest, UnusableError
from models.state.snapshot import joined, snapshot


def round_trip(state: dict[str, Any], path: Path) -> dict[str, Any]:
    shutil.rmtree(path, ignore_errors=True)
    directory = CheckpointDirectory(path)
    directory.save(snapshot(state))
    loaded, problems = CheckpointDirectory(path).load()
    assert problems == []
    assert loaded is not None
    return loaded


def saved(path: Path, *numbers: int) -> CheckpointDirectory:
    directory = CheckpointDirectory(path)
    for n in numbers:
        directory.save(snapshot({"n": n, "a": np.arange(n)}))
    return directory


def folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.name.isdigit())


# Round trips


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -1, 2**63 - 1, -(2**63), 2**63, 2**64, 2**127 + 1, -(2**100),
        0.0, -0.0, 1.5, 1e-320, math.inf, -math.inf, "", "ünï\x00😀", b"", b"\x00\xff",
        [], [[]], {}, {"a": {}}, [1, "a", None, b"b", 2.5, True], [1, [2, [3, {"x": [2**70]}]]],
        {"a b\t": 1, "": 2}, {1: "int keys", -5: [1]}, [{}, {"a": [None]}],
    ],
)  # fmt: skip
def test_plain_values_round_trip(value: Any, tmp_path: Path) -> None:
    """Every plain value comes back equal and of the same type."""
    out = round_trip({"v": value, "list": [value], "map": {"k": value}}, tmp_path)
    for back in (out["v"], out["list"][0], out["map"]["k"]):
        assert type(back) is type(value)
        assert repr(back) == repr(value)


def test_nan_round_trips(tmp_path: Path) -> None:
    """NaN, alone, in a list and in an array."""
    out = round_trip({"v": math.nan, "l": [math.nan, 1], "a": np.array([np.nan, 1])}, tmp_path)
    assert math.isnan(out["v"])
    assert math.isnan(out["l"][0])
    assert np.isnan(out["a"][0])


@pytest.mark.parametrize(
    "value",
    [
        np.float64(0.1), np.float32(0.1), np.int64(-3), np.int8(5), np.uint64(2**64 - 1), np.bool_(True),
        np.str_("text"), np.bytes_(b"bytes"),
    ],
)  # fmt: skip
def test_numpy_scalars_become_plain_values(value: Any, tmp_path: Path) -> None:
    """A numpy scalar comes back as the Python value it holds, wherever it stands."""
    out = round_trip({"v": value, "l": [value, 1], "t": (value,), "m": {"k": [value]}}, tmp_path)
    for back in (out["v"], out["l"][0], out["t"][0], out["m"]["k"][0]):
        assert type(back) is type(value.item())
        assert back == value


ARRAYS = [
    *(np.arange(6).reshape(2, 3).astype(kind) for kind in "bBhHiIlLefd?"),
    np.zeros(0, np.int64), np.zeros((0, 24), np.float32), np.zeros((3, 0, 2)), np.array(2.5), np.array(True),
    np.arange(12).reshape(3, 4).T, np.arange(10)[::2], np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.array([-0.0, np.inf, 1e-320]),
]  # fmt: skip


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_arrays_round_trip(array: np.ndarray, tmp_path: Path) -> None:
    """Type, shape (also of empty and 0-dimensional ones) and every bit come back, writable."""
    out = round_trip({"a": array, "nested": [{"b": array}]}, tmp_path)
    for back in (out["a"], out["nested"][0]["b"]):
        assert (back.dtype, back.shape) == (array.dtype, array.shape)
        assert back.tobytes() == array.tobytes()
        back[...] = 0


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor(3.0), torch.zeros(0, 2), torch.arange(6).reshape(2, 3), torch.arange(6.0).reshape(2, 3).t(),
        torch.tensor(True), torch.nn.Parameter(torch.ones(2)), torch.ones(2, dtype=torch.float64),
    ],
)  # fmt: skip
def test_torch_tensors_round_trip(tensor: torch.Tensor, tmp_path: Path) -> None:
    """A tensor comes back as a tensor of the same type, shape and values, without gradient."""
    back = round_trip({"t": tensor}, tmp_path)["t"]
    assert isinstance(back, torch.Tensor)
    assert (back.dtype, back.shape, back.requires_grad) == (tensor.dtype, tensor.shape, False)
    assert torch.equal(back, tensor)


def test_random_state_round_trips(tmp_path: Path) -> None:
    """A generator's 128-bit state continues its sequence."""
    rng = np.random.default_rng(5)
    rng.random(3)
    other = np.random.default_rng(0)
    other.bit_generator.state = round_trip({"rng": rng.bit_generator.state}, tmp_path)["rng"]
    assert other.random(10).tolist() == rng.random(10).tolist()


def test_tuples_become_lists(tmp_path: Path) -> None:
    """The one thing that changes its type."""
    assert round_trip({"t": (1, ("a", 2))}, tmp_path) == {"t": [1, ["a", 2]]}


def test_order_of_keys_is_kept(tmp_path: Path) -> None:
    """Tables rely on it: the order of an id table's keys is the order of last sight."""
    keys = [str(n * 7919 % 100) for n in range(100)]
    assert list(round_trip({"m": dict.fromkeys(keys, 1)}, tmp_path)["m"]) == keys


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**130), 2**130)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=80, deadline=None)
@given(VALUES)
def test_any_nested_state_survives_encoding(value: Any) -> None:
    """Whatever is nested in whatever: decoding what was encoded gives the same."""
    taken = snapshot({"v": value})
    assert joined(msgspec.msgpack.decode(taken.body), taken.tensors) == {"v": value}


@pytest.mark.parametrize("state", [{"m": {(1, 2): 3}}, {"m": {None: 1}}, {"o": object()}])
def test_what_cannot_come_back_is_refused_when_taken(state: dict[str, Any]) -> None:
    """Such a state fails at once, not at the next start."""
    with pytest.raises(TypeError):
        snapshot(state)


def test_snapshot_holds_copies() -> None:
    """Learning may go on while it is written."""
    array, tensor = np.zeros(3), torch.zeros(3)
    inner = {"a": array, "t": tensor, "list": [1, 2]}
    taken = snapshot(inner)
    before = (taken.body, {k: v.tobytes() for k, v in taken.tensors.items()})
    array += 1
    tensor += 1
    inner["list"].append(3)
    assert before == (taken.body, {k: v.tobytes() for k, v in taken.tensors.items()})


# The folder


def test_empty_folder(tmp_path: Path) -> None:
    """No checkpoint is no state and no problem; the folder is made."""
    assert CheckpointDirectory(tmp_path / "a" / "b").load() == (None, [])
    assert (tmp_path / "a" / "b").is_dir()


def test_newest_wins_and_three_are_kept(tmp_path: Path) -> None:
    """Of many, the last three stay, and the last is loaded."""
    saved(tmp_path, 1, 2, 3, 4, 5)
    assert [int(p.name) for p in folders(tmp_path)] == [3, 4, 5]
    state, _ = CheckpointDirectory(tmp_path).load()
    assert state is not None
    assert state["n"] == 5


def test_sequence_goes_on_after_a_restart(tmp_path: Path) -> None:
    """Numbers are never used twice, past the twelfth digit's order too."""
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
    """One bit flipped, a cut, an empty or a missing file: the one before is used, and the problem is told."""
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
    """Checkpoints that cannot be read are never taken for none: that would learn everything twice."""
    saved(tmp_path, 1, 2)
    for folder in folders(tmp_path):
        truncate(folder / "state.msgpack")
    with pytest.raises(UnusableError, match=r"no checkpoint in .* can be read"):
        CheckpointDirectory(tmp_path).load()


def changed(folder: Path, **fields: Any) -> None:
    """What a checkpoint says of itself, other than it was written."""
    path = folder / "manifest.json"
    manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, **fields)))


def test_another_schema_is_refused(tmp_path: Path) -> None:
    """A newest checkpoint of another schema stops; an older one is not silently used."""
    saved(tmp_path, 1, 2)
    changed(folders(tmp_path)[-1], schema=99)
    with pytest.raises(UnusableError, match="Install the version of Crosscurrent that wrote it, or move"):
        CheckpointDirectory(tmp_path).load()


@pytest.mark.parametrize("versions", [{"river": "0.1", "torch": "1.0"}, {}])
def test_other_libraries_versions_are_taken_up(tmp_path: Path, versions: dict[str, str]) -> None:
    """And told: a checkpoint outlives an upgrade of River and torch, and goes on from there."""
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


def test_a_full_disk_is_an_oserror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails raises OSError and leaves the earlier checkpoint as the newest."""
    directory = saved(tmp_path, 1)
    real = checkpoint._write

    def full(path: Path, data: bytes) -> None:
        if path.name == "state.msgpack":
            raise OSError(28, "No space left on device")
        real(path, data)

    monkeypatch.setattr(checkpoint, "_write", full)
    with pytest.raises(OSError, match="No space left"):
        directory.save(snapshot({"n": 2}))
    monkeypatch.undo()
    state, problems = CheckpointDirectory(tmp_path).load()
    assert state is not None
    assert (state["n"], problems) == (1, [])
    directory.save(snapshot({"n": 3}))
    state, _ = directory.load()
    assert state == {"n": 3}
