"""Count the bytes of a learner's tables, by what they hold. Every reachable object counts once."""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Literal

import msgspec
import numpy as np
import torch

from models.state.tracked_tables import Named, SparsePlaces, TrackedTable, parts

Owner = Literal["user", "item", "shared"]
KINDS: dict[str, tuple[Owner, str]] = {
    "users": ("user", "id"),
    "history/seen": ("user", "items they had"),
    "history": ("user", "recent events"),
    "rating/bias/user": ("user", "biases"),
    "rating/bias/user@domain": ("user", "biases"),
    "rating/bias/item": ("item", "biases"),
    "rating/taste": ("user", "taste"),
    "rating/records": ("item", "rating records"),
    "catalogues": ("item", "id, title, text vector"),
    "ranker/signals/visits": ("item", "co-visits"),
    "ranker/signals": ("item", "popularity"),
    "ranker/choices": ("user", "ranking slopes"),
    "ranker/alone": ("user", "ranking slopes"),
    "network/items": ("item", "network"),
    "network/vectors": ("item", "network"),
    "on_lists": ("user", "index of lists"),
    "written_at": ("user", "index of lists"),
}
"""Owner of a table's rows, and what it holds, by the beginning of its path in the live state. The longest counts."""
_LAST: tuple[type[TrackedTable], ...] = (Named, SparsePlaces)
"""Parts from which a whole owner can be reached. Tables that have a part of their own are counted there first."""
_SKIPPED = (type, ModuleType, BuiltinFunctionType)


def kind_of(path: Iterable[Any]) -> tuple[Owner, str]:
    """Return the owner of a table's rows, and what it holds; for others `shared` and the path's first word."""
    names = list(map(str, path))
    if names[0] == "alone":  # the rating model of a target alone has the same tables
        names = ["rating", *names[2:]]
    for length in range(len(names), 0, -1):
        if found := KINDS.get("/".join(names[:length])):
            return found
    return "shared", names[0]


def table_bytes(lives: Iterable[Any]) -> Counter[tuple[Owner, str]]:
    """Return bytes by kind, summed over live states."""
    found: Counter[tuple[Owner, str]] = Counter()
    visited: set[int] = set()
    every = [pair for live in lives for pair in parts(live)]
    for path, part in sorted(every, key=lambda pair: isinstance(pair[1], _LAST)):
        visited |= {id(part), id(part.touched)}  # marks name what changed since the last checkpoint
        fields = [getattr(part, name) for name in part.__struct_fields__ if name != "touched"]
        found[kind_of(path)] += reachable_bytes(fields, visited)
    return found


def reachable_bytes(roots: list[Any], visited: set[int]) -> int:
    """Return the bytes of all that can be reached from the roots and is not in `visited`; add it there.

    Classes and modules are left out, because they belong to the program. Of a function, only what it encloses counts.
    """
    total, waiting = 0, list(roots)
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in visited or isinstance(one, _SKIPPED):
            continue
        visited.add(id(one))
        if isinstance(one, np.ndarray):
            total += one.nbytes if one.base is None else 0
            waiting.append(one.base)
        elif isinstance(one, torch.Tensor):
            total += one.untyped_storage().nbytes()
        else:
            total += sys.getsizeof(one)
            waiting += _referents(one)
    return total


def _referents(one: Any) -> list[Any]:
    if isinstance(one, dict):  # the collector skips keys that are strings
        return [*one.keys(), *one.values()]
    if isinstance(one, MethodType):
        return [one.__self__, one.__func__]
    if isinstance(one, FunctionType):
        return [cell.cell_contents for cell in one.__closure__ or ()]
    if isinstance(one, msgspec.Struct):
        return [getattr(one, name) for name in one.__struct_fields__]
    return gc.get_referents(one)
