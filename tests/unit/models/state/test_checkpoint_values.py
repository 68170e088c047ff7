"""Every value that a state may hold comes out of a checkpoint unchanged."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.state.checkpoint import CheckpointDirectory
from models.state.snapshot import snapshot
from tests.support.learners.states import read_back


def round_trip(state: dict[str, Any], path: Path) -> dict[str, Any]:
    shutil.rmtree(path, ignore_errors=True)
    directory = CheckpointDirectory(path)
    directory.save(snapshot(state))
    loaded, problems = CheckpointDirectory(path).load()
    assert problems == []
    assert loaded is not None
    return loaded


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, -1, 2**63 - 1, -(2**63), 2**63, 2**64, 2**127 + 1, -(2**100),
        0.0, -0.0, 1.5, 1e-320, math.inf, -math.inf, "", "ünï\x00😀", b"", b"\x00\xff",
        [], [[]], {}, {"a": {}}, [1, "a", None, b"b", 2.5, True], [1, [2, [3, {"x": [2**70]}]]],
        [["a", 1], ["b", None], []], [[2**70], [1]],
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
    """NaN survives, alone, in a list and in an array."""
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
    """A tuple comes back as a list, which is the only change of type."""
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
    """Any nested state is the same after encoding and decoding."""
    assert read_back({"v": value}) == {"v": value}


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
