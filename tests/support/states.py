"""Comparing states bit by bit. Not a test: `from tests.states import differences`."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

from models.arm_selector import NAMES, Arm


def differences(one: Any, two: Any, ignore: Callable[[str], bool] = lambda _path: False) -> list[str]:
    """Paths at which two nested states differ in type, order of keys, shape or a single bit; empty if nowhere."""
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


def following(domain: str, arm: Arm, buckets: Iterable[str] = NAMES) -> dict[str, Any]:
    """Return the state of a guard that follows this arm for the rankings of users in these buckets."""
    return {f"{domain}\t{bucket}\tranking": {"followed": arm, "events": 1, "tests": {}} for bucket in buckets}
