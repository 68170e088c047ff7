"""Compare states bit by bit, and read them as a checkpoint would."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import torch

from models.state.snapshot import Snapshot, joined, snapshot


def decoded(taken: Snapshot) -> dict[str, Any]:
    """Return the state as it is read from a checkpoint."""
    state: dict[str, Any] = joined(msgspec.msgpack.decode(taken.body), taken.tensors)
    return state


def read_back(state: Any, increment: bool = False) -> Any:
    """Return what a checkpoint of this state, or of what has changed in it, holds."""
    return decoded(snapshot(state, increment))


def differences(one: Any, two: Any, ignore: Callable[[str], bool] = lambda _path: False) -> list[str]:
    """Return the paths at which two nested states differ in type, order of keys, shape or a single bit."""
    return [path for path in _differences(one, two, "") if not ignore(path)]


def _differences(one: Any, two: Any, path: str) -> Iterator[str]:
    if isinstance(one, tuple | list) and isinstance(two, tuple | list):
        if len(one) != len(two):
            yield path
        for n, (a, b) in enumerate(zip(one, two, strict=False)):
            yield from _differences(a, b, f"{path}.{n}")
    elif type(one) is not type(two):
        yield path
    elif isinstance(one, dict):
        if list(one) != list(two):
            yield path
        for key in one.keys() & two.keys():
            yield from _differences(one[key], two[key], f"{path}.{key}")
    elif _bits(one) != _bits(two):
        yield path


def _bits(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tobytes())
    return struct.pack("d", value) if isinstance(value, float) else value
